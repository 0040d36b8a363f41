"""What real registries say of images: open ones, and ones behind logins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf, errors
from funcflow.registries.client import Unknown
from funcflow.registries.lookup import Found, Registries
from tests.registries import Repository
from tools.services import registry

NAME, WORD = "reader", "hush"
#: The word, as htpasswd keeps it.
KEPT = "$2b$04$U8.bxSNHlIpCRevicoTff.czsdTTkJGbaCCrS95x8RcBBQSJO3L8."
RUNS = ("/bin/ocr", "--fast", "all")


def registries(server: registry.Server, **options: Any) -> Registries:
    own = {"allow": ["127.0.0.1"], "insecure": [server.address], **options}
    return Registries(conf.load(registries=own))


def find(server: registry.Server, name: str, **options: Any) -> Found:
    return registries(server, **options).find(f"{server.address}/{name}")


def unknown(server: registry.Server, name: str, **options: Any) -> str:
    with pytest.raises(Unknown) as caught:
        find(server, name, **options)
    return str(caught.value)


def test_an_image(image_registry: registry.Server, digest: str) -> None:
    wanted = Found(digest=digest, entrypoint=RUNS)
    assert find(image_registry, "team/ocr:3") == wanted
    assert find(image_registry, f"team/ocr@{digest}") == wanted


def test_the_image_of_this_kind_of_machine(image_registry: registry.Server) -> None:
    repository = Repository(image_registry.url, "many/kinds")
    words = {("linux", "s390x"): "big", ("windows", "amd64"): "win"}
    words |= {("linux", "amd64"): "lin", ("linux", "arm64"): "arm"}
    made = {platform: repository.image(word, Cmd=[word]) for platform, word in words.items()}
    index = repository.index("all", made)
    found = find(image_registry, "many/kinds:all")
    assert found.digest == index  # Nodes choose by themselves.
    assert found.entrypoint in (("lin",), ("arm",))
    repository.index("other", {("linux", "s390x"): made["linux", "s390x"]})
    assert find(image_registry, "many/kinds:other").entrypoint == ("big",)
    repository.index("alien", {("windows", "amd64"): made["windows", "amd64"]})
    assert "not for Linux" in unknown(image_registry, "many/kinds:alien")


def test_one_that_says_nothing_of_what_it_runs(image_registry: registry.Server) -> None:
    Repository(image_registry.url, "team/bare").image("1")
    assert find(image_registry, "team/bare:1").entrypoint == ()


@pytest.mark.parametrize("word", ["x" * 5000, "a\0b", 7])
def test_one_that_says_what_nothing_can_run(image_registry: registry.Server, word: Any) -> None:
    Repository(image_registry.url, "team/odd").image("1", Cmd=["run", word])
    assert unknown(image_registry, "team/odd:1")


@pytest.mark.parametrize("name", ["team/ocr:none", "nobody/nothing"])
def test_one_that_is_not_there(image_registry: registry.Server, digest: str, name: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        find(image_registry, name)
    assert caught.value.code == "image_not_found"


def test_registries_are_where_operators_allow(image_registry: registry.Server, digest: str) -> None:
    said = unknown(image_registry, "team/ocr:3", allow=[])
    assert "may not be reached: loopback" in said


def test_without_tls_only_where_an_operator_allows(
    image_registry: registry.Server, digest: str
) -> None:
    assert "TLS" in unknown(image_registry, "team/ocr:3", insecure=[])


# -- behind a login -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private(
    image_registry: registry.Server, digest: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[registry.Server]:
    """The same images for those who know the word."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "htpasswd").write_text(f"{NAME}:{KEPT}\n")
    auth = {"htpasswd": {"realm": "here", "path": str(folder / "htpasswd")}}
    server = registry.Server(folder, images=image_registry.images, auth=auth)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def file(folder: Path, server: registry.Server, word: str = WORD) -> str:
    path = folder / "config.json"
    entry = {"username": NAME, "password": word}
    path.write_text(json.dumps({"auths": {server.address: entry}}))
    return str(path)


def test_with_name_and_password(private: registry.Server, digest: str, tmp_path: Path) -> None:
    known = registries(private, credentials=file(tmp_path, private))
    assert known.find(f"{private.address}/team/ocr:3").digest == digest
    file(tmp_path, private, "another")  # They are read each time.
    with pytest.raises(Unknown, match="does not let us see"):
        known.find(f"{private.address}/team/ocr:3")
    Path(tmp_path / "config.json").write_text("not JSON")
    with pytest.raises(Unknown, match="credentials of registries cannot be read"):
        known.find(f"{private.address}/team/ocr:3")


def test_without(private: registry.Server, tmp_path: Path, image_registry: registry.Server) -> None:
    assert "wants credentials" in unknown(private, "team/ocr:3")
    of_another = file(tmp_path, image_registry)
    assert "wants credentials" in unknown(private, "team/ocr:3", credentials=of_another)


def test_credentials_that_cannot_be_read_are_told_at_the_start(
    image_registry: registry.Server, tmp_path: Path
) -> None:
    with pytest.raises(errors.ConfigError):
        registries(image_registry, credentials=str(tmp_path / "none"))
