"""Measurements against a peer, each pair in one run: ``python -m benchmarks``."""
