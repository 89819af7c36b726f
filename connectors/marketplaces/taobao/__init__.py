"""Taobao: buying, browsing and after-sale."""
