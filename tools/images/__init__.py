"""Builds our container images without a registry, a daemon or root: ``python -m tools.images``.

An image is a recipe (``image.yaml`` in a folder of ``runtimes`` or ``etc/container``) and a lock of
the Debian packages it is made from. The same recipe, lock and sources give the same digest.
"""
