"""Deliberate breakages of the effect path, each of which the simulation must find."""
