"""Journeys of a batch at a service that speaks dialects, and what becomes of it at each
marketplace.
"""
