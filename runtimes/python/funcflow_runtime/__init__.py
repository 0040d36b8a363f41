"""The Python runtime: turns a package folder and an entry into answers over one stream.

Runs inside a sandbox, with the standard library only. ``runtimes/contract/README.md`` states
the protocol; :mod:`.serve` speaks it.
"""
