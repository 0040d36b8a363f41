"""Hostile functions in the real sandbox: each is stopped, and its neighbour never notices.

The functions are in tests/functions/hostile.py and walls.py.
"""
