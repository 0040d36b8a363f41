"""Scripts of the project's own workshop; not part of what is installed."""
