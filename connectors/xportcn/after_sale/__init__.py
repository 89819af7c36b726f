"""Cancellations, refunds and returns: one module per marketplace, all behind the `AfterSale` protocol."""
