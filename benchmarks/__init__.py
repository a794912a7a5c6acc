"""Benchmarks: what the system does in a second, measured in one run with what it is compared to."""
