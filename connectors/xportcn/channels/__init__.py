"""One module per marketplace, all behind the `Channel` protocol."""
