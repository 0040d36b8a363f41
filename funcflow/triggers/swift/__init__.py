"""Objects that come and go in containers of Swift."""
