"""A batch of orders: its sources, plan, purchase, follow-up and report."""
