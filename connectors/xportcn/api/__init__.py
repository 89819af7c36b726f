"""Requests and answers of each operation: one module per group of the service's navigation."""
