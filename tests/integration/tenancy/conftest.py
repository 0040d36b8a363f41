"""One funcflow behind the shared Keystone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from funcflow.cmd import up
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
