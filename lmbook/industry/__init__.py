"""The industry chain in figures: facts with sources, and what things cost (2.3, 8)."""

from lmbook.industry import costs, facts

__all__ = ["costs", "facts"]
