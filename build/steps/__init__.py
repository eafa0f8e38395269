"""What the scripts in build/ do, on the standard library of Python 3.11 alone.

Only ``archive`` needs more (shiv, hatchling, packaging), so it runs inside the environment that
``environment`` made.
"""
