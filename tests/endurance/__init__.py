"""Hours of crashes, stops and restarts: `python -m tests.endurance` (`make
endurance`).
"""
