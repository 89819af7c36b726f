"""The durable record of every order and effect: the source of truth."""
