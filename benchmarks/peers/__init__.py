"""What funcflow is compared with; each peer runs ``function.main`` its own way."""
