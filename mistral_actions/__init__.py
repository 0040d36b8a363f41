"""Mistral actions that call funcflow over REST."""
