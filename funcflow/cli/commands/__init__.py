"""The commands, one module per noun; each class is an entry point in ``setup.cfg``."""
