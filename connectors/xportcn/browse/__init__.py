"""Browsing a marketplace without buying: one module each, all behind the `Browser` protocol."""
