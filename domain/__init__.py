"""What an order is: requests, money, states, decisions. No I/O, no Prefect, no clock of
its own.
"""
