"""A person's approval before money is spent."""
