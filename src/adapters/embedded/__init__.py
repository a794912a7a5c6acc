"""Embedded: Postgres, Valkey and the Supabase Auth stand-in for one machine, from wheels and loopback only."""
