"""funcflow: Functions-as-a-Service for OpenStack."""
