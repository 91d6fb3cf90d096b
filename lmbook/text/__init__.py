"""Text: corpora, vocabularies, batches (sections 3.3, 3.7, 5.2)."""
