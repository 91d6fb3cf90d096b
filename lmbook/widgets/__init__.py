"""Figures that live in the page without a kernel (anywidget)."""
