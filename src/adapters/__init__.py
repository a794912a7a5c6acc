"""Adapters: the machines we do not own, one file per role, wired together in `wiring`."""
