"""Training loops, their configuration and what they record (section 5.2)."""
