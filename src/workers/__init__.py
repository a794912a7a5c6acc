"""Workers: the long-running processes beside the API."""
