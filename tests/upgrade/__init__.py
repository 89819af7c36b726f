"""A data folder that an earlier version left in the middle of everything, and what this
version makes of it.
"""
