"""What the driver takes from the configuration, checked. Used by :mod:`.driver`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from funcflow import errors, images
from funcflow.sandboxes.base import WorkerSpec
from funcflow.sandboxes.kubernetes import names
from funcflow.sandboxes.kubernetes.manifests import Claim, Kind, Style
from funcflow.sandboxes.kubernetes.walls import Network

_OPEN_FILES = 1024
#: Bytes below which an interpreter itself does not fit.
_FLOOR = {"python3": 32 << 20, "nodejs": 64 << 20}


def style(conf: cfg.ConfigOpts, keys: str) -> Style:
    own = conf.kubernetes
    return Style(
        installation=own.installation,
        keys=keys,
        cpu_burst=own.cpu_burst,
        overcommit=own.overcommit,
        tmp_size=conf.sandbox.tmp_size,
        package_size=own.package_size,
        pull_policy=own.pull_policy,
        pull_secrets=tuple(own.pull_secrets),
        node_selector=dict(own.node_selector),
        priority_class=own.priority_class,
    )


def network(conf: cfg.ConfigOpts) -> Network:
    """:raises errors.ConfigError: something is no CIDR"""
    own = conf.kubernetes
    return Network(
        conductors=_cidrs("conductor_networks", own.conductor_networks),
        egress=_cidrs("egress", own.egress),
        egress_except=_cidrs("egress_except", own.egress_except),
    )


def _cidrs(option: str, values: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(value)) for value in values)
    except ValueError as exc:
        raise errors.ConfigError(
            f"[kubernetes] {option}: {exc}", hint="Give networks such as 10.1.0.0/16."
        ) from exc


def project_of(conf: cfg.ConfigOpts, spec: WorkerSpec) -> str | None:
    """The project whose namespace the worker lives in; None: in none of its own."""
    return spec.revision.project_id if conf.kubernetes.project_namespaces else None


def kind(conf: cfg.ConfigOpts, spec: WorkerSpec) -> Kind:
    """What a pod must be like to become this worker."""
    own, limits = conf.kubernetes, spec.revision.limits
    image, agent = own.images.get(spec.language) or spec.image, None
    environment: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    if is_image(spec):
        image, agent = spec.image, own.agent_image
        environment = tuple(sorted(spec.revision.environment.items()))
        command = images.command(spec.revision.code)
    return Kind(
        namespace=names.namespace(own.namespace, project_of(conf, spec)),
        image=image,
        language=spec.language,
        memory=max(limits.memory_size, _FLOOR.get(spec.language, 0)),
        cpu=limits.cpu,
        runtime_class=runtime_class(conf, spec),
        agent=agent,
        environment=environment,
        command=command,
    )


def runtime_class(conf: cfg.ConfigOpts, spec: WorkerSpec) -> str | None:
    """Code that is not trusted gets the stronger walls, whatever its language has."""
    if not trusted(conf, spec) and conf.kubernetes.untrusted_class:
        return str(conf.kubernetes.untrusted_class)
    found = conf.kubernetes.runtime_classes.get(spec.language)
    return str(found) if found else None


def trusted(conf: cfg.ConfigOpts, spec: WorkerSpec) -> bool:
    """Whether the function may share the kernel with others."""
    return spec.trusted and (not is_image(spec) or bool(conf.kubernetes.trust_images))


def lenient(conf: cfg.ConfigOpts, spec: WorkerSpec) -> bool:
    """Whether the function may run where a wall is missing."""
    return trusted(conf, spec) or bool(conf.sandbox.allow_unprotected)


def claim(spec: WorkerSpec, owner: str) -> Claim:
    revision = spec.revision
    return Claim(
        owner=owner,
        project_id=revision.project_id,
        function_id=revision.function_id,
        revision=revision.number,
        network=revision.network,
    )


def load(conf: cfg.ConfigOpts, spec: WorkerSpec, timeout: float) -> dict[str, Any]:
    """What the agent is told to make its pod the worker."""
    revision, sandbox = spec.revision, conf.sandbox
    message = {
        "entry": revision.entry,
        "environment": {**revision.environment, **spec.secrets},
        "concurrency": revision.limits.concurrency,
        "memory_limit": revision.limits.memory_size,
        "max_pids": sandbox.max_pids,
        "tmp_size": sandbox.tmp_size,
        "open_files": _OPEN_FILES,
        "timeout": timeout,
    }
    return message | ({"image": {}} if is_image(spec) else {})


def is_image(spec: WorkerSpec) -> bool:
    """Whether the function is a container of its own."""
    return spec.package is None
