"""Labels, annotations and names of everything funcflow makes in a cluster.

Used by :mod:`.manifests` and by whoever looks for what they made.
"""

from __future__ import annotations

import hashlib
import re

PREFIX = "funcflow.openstack.org/"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "funcflow"
COMPONENT = "app.kubernetes.io/component"

#: Which funcflow of those that share the cluster.
INSTALLATION = f"{PREFIX}installation"
#: The warm pool a pod waits in; taken off when it is specialised.
POOL = f"{PREFIX}pool"
LANGUAGE = f"{PREFIX}language"
#: The conductor a pod belongs to: the name of its lease.
OWNER = f"{PREFIX}owner"
PROJECT = f"{PREFIX}project"
FUNCTION = f"{PREFIX}function"
REVISION = f"{PREFIX}revision"
#: ``open`` where the function may reach the network.
NETWORK = f"{PREFIX}network"
#: Why a worker ended, for whoever looks at the pod.
REASON = f"{PREFIX}reason"
#: Annotation of the home namespace: whether network policies are ``enforced`` or ``ignored``.
POLICIES = f"{PREFIX}network-policies"
#: Annotations ``demand.…/<owner>`` of a pool: how many warm pods that conductor wants.
DEMAND = f"demand.{PREFIX}"

_VALID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_NOT_DNS = re.compile(r"[^a-z0-9]+")


def label(value: str) -> str:
    """A label's value that stands for ``value``: itself where the rules allow that."""
    if _VALID.fullmatch(value):
        return value
    return f"{dns(value, 40)}-{digest(value)}" if value else "none"


def dns(text: str, length: int) -> str:
    """What is left of ``text`` in a DNS label of at most ``length`` characters."""
    return _NOT_DNS.sub("-", text.lower()).strip("-")[:length].strip("-") or "x"


def digest(text: str) -> str:
    """Ten hexadecimal digits that tell texts apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def namespace(base: str, project_id: str | None) -> str:
    """The namespace of a project's workers; ``base`` itself for None."""
    if project_id is None:
        return base
    exact = re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", project_id)
    if exact and len(base) + len(project_id) + 1 <= 63:
        return f"{base}-{project_id}"
    return f"{base}-{dns(project_id, 63 - len(base) - 12)}-{digest(project_id)}"
