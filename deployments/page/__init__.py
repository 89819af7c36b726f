"""A page for looking: what is under way and what waits, orders, reports, downloads. It
buys and approves nothing.
"""
