"""A real Kubernetes of one node for tests and benchmarks: see ``node/up.sh`` for what it is.

:class:`Cluster` is that one, or the cluster of ``KUBECONFIG`` where we are not root.
"""

from tools.services.kubernetes.cluster import Cluster, find

__all__ = ["Cluster", "find"]
