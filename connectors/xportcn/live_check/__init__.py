"""Going live: every call that changes nothing is made, and each answer compared with
the contract.
"""
