"""The effect protocol, the registry of kinds, and one file a kind of effect."""
