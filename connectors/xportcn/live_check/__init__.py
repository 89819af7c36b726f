"""Going live: everything that changes nothing is asked, and each answer held against the contract."""
