"""Taobao: buying, browsing, cart and after-sale."""
