"""One retrying step a file."""
