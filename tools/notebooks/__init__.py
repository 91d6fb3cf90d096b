"""Notebooks as code: hash, execute, normalise, compare, lint."""
