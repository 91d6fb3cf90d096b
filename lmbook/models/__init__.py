"""Models in PyTorch (sections 3.4 to 3.6 and chapter 5)."""
