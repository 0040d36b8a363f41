"""Every configuration option, by group; :mod:`funcflow.conf` registers them."""

from __future__ import annotations

from typing import Any

from funcflow.options import (
    callbacks,
    compositions,
    conductor,
    events,
    kubernetes,
    limits,
    notices,
    registries,
    secrets,
    service,
    sources,
    swift,
    trusts,
)

GROUPS: dict[str, Any] = {
    "DEFAULT": service.DEFAULT,
    "api": service.API,
    "audit": service.AUDIT,
    "database": service.DATABASE,
    "store": service.STORE,
    "jobboard": service.JOBBOARD,
    "conductor": conductor.CONDUCTOR,
    "sandbox": conductor.SANDBOX,
    "compositions": compositions.COMPOSITIONS,
    "events": events.OPTIONS,
    "kubernetes": kubernetes.OPTIONS,
    "callbacks": callbacks.CALLBACKS,
    "mistral": callbacks.MISTRAL,
    "subscriptions": notices.SUBSCRIPTIONS,
    "notices": notices.NOTICES,
    "swift": swift.OPTIONS,
    "limits": limits.LIMITS,
    "quotas": limits.QUOTAS,
    "registries": registries.OPTIONS,
    "secrets": secrets.OPTIONS,
    "trusts": trusts.OPTIONS,
    "notifications": sources.NOTIFICATIONS,
    "openstack": sources.OPENSTACK,
}
