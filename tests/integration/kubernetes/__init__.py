"""Functions in pods of a real cluster: walls, faults, life."""
