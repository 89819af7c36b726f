"""Whole runs in one thread on simulated time: the real product, the real sandbox, and
seeded misfortune between.
"""
