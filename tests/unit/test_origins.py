"""Functions made of images, which are looked up in a real registry."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import conf as config
from funcflow import errors, models, origins
from funcflow.wishes import Wish
from tests.registries import Repository
from tools.services import registry

CONTEXT = models.RequestContext(request_id="r", user_id="u", project_id="p")


@pytest.fixture(scope="module")
def repository(image_registry: registry.Server) -> Repository:
    return Repository(image_registry.url, "team/origin")


@pytest.fixture(scope="module")
def digest(repository: Repository) -> str:
    return repository.image("1", Cmd=["serve", "$PORT"])


def code(server: registry.Server, version: str = ":1", **more: Any) -> dict[str, Any]:
    return {"source": "image", "image": f"{server.address}/team/origin{version}", **more}


def brought(server: registry.Server, wished: dict[str, Any], **options: Any) -> Any:
    own = {"allow": ["127.0.0.1"], "insecure": [server.address], **options}
    conf = config.load(api={"image_functions": ["*"]}, registries=own)
    wish = Wish(code=wished)
    made = origins.Origins(conf)
    made.check(wish)
    with made.brought(CONTEXT, wish, {}) as found:
        return found.code


def test_what_it_runs_and_its_digest_are_kept(image_registry: registry.Server, digest: str) -> None:
    given = code(image_registry)
    found = {"digest": digest, "entrypoint": ["serve", "$PORT"]}
    assert brought(image_registry, given) == given | found
    commanded = code(image_registry, command=["other"])
    assert brought(image_registry, commanded) == commanded | found


def test_nobody_tells_us_what_a_registry_says(image_registry: registry.Server, digest: str) -> None:
    forged = {"digest": f"sha256:{'0' * 64}", "entrypoint": ["evil"], "unresolved": "x", "own": 1}
    found = brought(image_registry, code(image_registry, **forged))
    assert (found["digest"], found["entrypoint"]) == (digest, ["serve", "$PORT"])
    assert not found.keys() & {"unresolved", "own"}
    assert brought(image_registry, code(image_registry, **forged), lookup=False) == code(
        image_registry
    )


def test_a_registry_that_does_not_tell_is_no_mistake_of_the_user(
    image_registry: registry.Server, digest: str
) -> None:
    found = brought(image_registry, code(image_registry), allow=[])
    assert "may not be reached" in found.pop("unresolved")
    assert found == code(image_registry)


def test_an_image_that_is_not_there_is_refused(image_registry: registry.Server) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        brought(image_registry, code(image_registry, ":2"))
    assert caught.value.code == "image_not_found"


def test_an_image_that_runs_nothing_needs_a_command(
    image_registry: registry.Server, repository: Repository
) -> None:
    repository.image("bare")
    with pytest.raises(errors.BadRequest) as caught:
        brought(image_registry, code(image_registry, ":bare"))
    assert caught.value.code == "bad_image"
    given = code(image_registry, ":bare", command=["run"])
    assert brought(image_registry, given)["command"] == ["run"]
