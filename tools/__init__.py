"""What builds and checks the book; nothing here is imported by lmbook."""
