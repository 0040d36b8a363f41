"""Code that runs on the far side: the zygote and the building of a jail around a worker.

Executed by a bare interpreter (``python -I -S``) with the standard library only; nothing here
imports the rest of funcflow, and nothing of the service imports this at run time.
"""
