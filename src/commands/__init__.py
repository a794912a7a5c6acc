"""Commands: what people ask of the system, one file each; a handler loads, decides and appends. Read `ports` first."""
