"""One funcflow behind the shared Keystone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from funcflow import delegations
from funcflow.cmd import up
from funcflow.sandboxes import base as sandbox_base
from funcflow.sandboxes import memory
from funcflow.sandboxes.process import worker
from tests import openstack
from tools.services import identities


@pytest.fixture(scope="session")
def guarded(cloud: identities.Cloud) -> Iterator[up.Server]:
    """A funcflow that asks the shared Keystone, shared by the tests of this folder."""
    with openstack.server(cloud) as running:
        yield running


@pytest.fixture
def team(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    """A project of the test's own."""
    return openstack.Team.make(cloud, guarded.url)


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[delegations.Delegation | None]:
    """What each run was lent, as its worker is asked to run."""
    seen: list[delegations.Delegation | None] = []
    for kind in (worker.ProcessWorker, memory.MemoryWorker):
        monkeypatch.setattr(kind, "invoke", _looking(kind.invoke, seen))
    return seen


def _looking(invoke: Any, seen: list[delegations.Delegation | None]) -> Any:
    def look(
        self: Any, request: sandbox_base.Request, sink: sandbox_base.LogSink
    ) -> sandbox_base.Outcome:
        seen.append(request.delegation)
        outcome: sandbox_base.Outcome = invoke(self, request, sink)
        return outcome

    return look


@pytest.fixture(scope="module")
def dev_team(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, guarded.url)


@pytest.fixture(scope="module")
def dev(dev_team: openstack.Team) -> openstack.As:
    """A manager of the project whose compositions are shared."""
    return dev_team.api("manager", "member")


@pytest.fixture(scope="module")
def prod_team(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, guarded.url)


@pytest.fixture(scope="module")
def prod(prod_team: openstack.Team) -> openstack.As:
    return prod_team.api("member")
