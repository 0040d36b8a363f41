"""TaskFlow flow factories. Their names are stored data: a test freezes them."""
