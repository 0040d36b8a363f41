"""What every network driver has to do; sandboxes enter what they give."""

from __future__ import annotations

import os
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import models, plugins
from funcflow.networks import base


@pytest.fixture(params=["none", "host"])
def network(request: pytest.FixtureRequest) -> Any:
    return plugins.load("funcflow.networks", request.param)(config.load())


def revision(network: bool) -> models.Revision:
    return models.Revision(
        function_id="f", number=1, project_id="p", runtime_id=None, code={}, digest=None,
        network=network,
    )  # fmt: skip


def test_it_is_a_network(network: Any) -> None:
    assert isinstance(network, base.Network)


def test_who_asks_for_no_network_gets_none(network: Any) -> None:
    attachment = network.attach(revision(network=False))

    assert attachment == base.Attachment()
    network.detach(attachment)


def test_what_is_given_can_be_entered_and_given_back(network: Any) -> None:
    attachments = [network.attach(revision(network=True)) for _ in range(3)]

    for attachment in attachments:
        # Either a namespace that is there, or the host's, or a fresh one; never two of them.
        assert not (attachment.namespace and attachment.host)
        assert attachment.namespace is None or os.path.exists(attachment.namespace)
    for attachment in attachments:
        network.detach(attachment)


def test_only_the_driver_that_says_so_gives_the_hosts_own() -> None:
    given = {
        name: plugins.load("funcflow.networks", name)(config.load()).attach(revision(network=True))
        for name in ("none", "host")
    }

    assert [name for name, attachment in given.items() if attachment.host] == ["host"]
