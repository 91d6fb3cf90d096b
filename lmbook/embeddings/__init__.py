"""Word vectors: word2vec, GloVe, counts (section 3.3)."""
