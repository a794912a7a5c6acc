"""Command line: `afterschool …`, to run, operate and read the system."""
