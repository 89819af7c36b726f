"""Shopping carts: one module per marketplace, all behind the `Cart` protocol."""
