"""How much a project may have and do."""
