"""A service that deviates from the written contract in one form everywhere, and what
becomes of the orders then.
"""
