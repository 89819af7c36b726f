"""A service that answers oddly: every field of every answer of the main job, replaced
by every odd value.
"""
