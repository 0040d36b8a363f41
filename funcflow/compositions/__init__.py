"""The composition language: a pure core without I/O."""
