"""The implementations taught in 《LLM产业链版图：从无到有》.

Import by topic: ``from lmbook import activations``, ``from lmbook.models import
lstm``.  This file and every other ``__init__`` hold no logic, so that importing
one topic loads that topic alone.
"""
