"""Questions that wait for a person, and what follows from an answer."""
