"""Request files to run as they are, and the try-out that runs one against the
sandbox.
"""
