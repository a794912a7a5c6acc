"""Routes: one file per resource of the contract."""
