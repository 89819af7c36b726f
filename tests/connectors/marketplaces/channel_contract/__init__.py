"""What every channel must do: one suite that each of the five passes unchanged, against
the sandbox over real HTTP.
"""
