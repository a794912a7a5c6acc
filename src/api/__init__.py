"""API: HTTP to one command or one query, and every refusal as a problem document."""
