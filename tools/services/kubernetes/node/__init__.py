"""Scripts and helpers that make this machine a node: see ``up.sh``."""
