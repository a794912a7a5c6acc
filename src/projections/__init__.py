"""Projections: one file per read model, with its shape, fold, SQL, Redis keys and query. Read `progress_summary`."""
