"""Auth: a stand-in for Supabase Auth on one machine, the same HTTP contract, so that the real client is always in use.

Read `app` first, then `user_calls` and `sessions`. It listens on loopback only; in production Supabase takes its place.
"""
