"""Poizon: buying and browsing."""
