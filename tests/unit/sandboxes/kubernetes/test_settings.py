"""From the configuration and a function to the kind of pod it needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf, errors
from funcflow.sandboxes.kubernetes import settings
from tests import sandboxing

IMAGES = {"python3": "registry.example/python3:1"}


def configuration(**kubernetes: Any) -> Any:
    return conf.load(kubernetes={"images": IMAGES, **kubernetes})


def test_projects_are_apart_unless_they_share() -> None:
    spec = sandboxing.spec(Path(), project_id="p")
    assert settings.kind(configuration(), spec).namespace == "funcflow-p"
    shared = configuration(project_namespaces=False, namespace="workers")
    assert settings.kind(shared, spec).namespace == "workers"


def test_images_are_configured_or_the_runtimes_own() -> None:
    spec = dataclasses.replace(sandboxing.spec(Path()), image="funcflow/python3")
    assert settings.kind(configuration(), spec).image == "registry.example/python3:1"
    assert settings.kind(configuration(images={}), spec).image == "funcflow/python3"


def test_an_image_function_brings_its_own_and_gets_an_agent() -> None:
    spec = sandboxing.spec(Path(), environment={"B": "2", "A": "1"}, language="image")
    spec = dataclasses.replace(spec, package=None, image="user/own:2")
    kind = settings.kind(configuration(agent_image="agent:1"), spec)
    assert (kind.image, kind.agent) == ("user/own:2", "agent:1")
    assert kind.environment == (("A", "1"), ("B", "2"))


@pytest.mark.parametrize(
    ("trusted", "image", "options", "wanted"),
    [
        (True, False, {}, None),
        (True, False, {"runtime_classes": {"python3": "kata"}}, "kata"),
        (False, False, {"untrusted_class": "gvisor"}, "gvisor"),
        (
            False,
            False,
            {"untrusted_class": "gvisor", "runtime_classes": {"python3": "kata"}},
            "gvisor",
        ),
        (True, True, {"untrusted_class": "gvisor"}, None),
        (True, True, {"untrusted_class": "gvisor", "trust_images": False}, "gvisor"),
    ],
)
def test_what_is_not_trusted_gets_the_stronger_walls(
    trusted: bool, image: bool, options: dict[str, Any], wanted: str | None
) -> None:
    spec = sandboxing.spec(Path(), trusted=trusted)
    if image:
        spec = dataclasses.replace(spec, package=None, image="user/own:2")
    assert settings.kind(configuration(**options), spec).runtime_class == wanted


@pytest.mark.parametrize("option", ["egress", "egress_except", "conductor_networks"])
def test_networks_that_are_none_are_refused_at_the_start(option: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        settings.network(configuration(**{option: ["10.0.0.0/33"]}))
    assert option in caught.value.message
