"""The figures of a batch or a time: computed from snapshots, in words, as charts and as
a page.
"""
