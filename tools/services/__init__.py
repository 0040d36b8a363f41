"""Real ZooKeeper, PostgreSQL, RabbitMQ, Keystone, Swift and Kubernetes for tests and benchmarks.

Each runs from the system's packages, or from a virtualenv of its own, in a private folder on
free loopback ports, as any user, and dies with the process that started it; Kubernetes needs
root and is shared by all who want it. Used by ``tests/conftest.py``, the benchmarks and
``python -m tools.services``.
"""
