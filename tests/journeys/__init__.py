"""Whole journeys: real processes, real files, a real sandbox."""
