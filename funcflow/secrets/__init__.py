"""Secrets of projects: how they are sealed, where else they may be, and how they stay unseen.

Used by the API, which seals, and by the conductor, which opens.
"""
