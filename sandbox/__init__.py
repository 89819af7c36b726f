"""A stand-in for the Xportcn service, written from docs/contract alone: own process,
own books.
"""
