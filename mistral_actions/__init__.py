"""Mistral actions that call funcflow over REST.

A distribution of its own, which is installed into Mistral's environment and brings nothing of
funcflow's server; loaded by Mistral through the entry points in ``pyproject.toml``.
"""
