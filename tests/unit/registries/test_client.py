"""Registries that hand out tokens, and registries that lie."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from funcflow import conf
from funcflow.registries.client import Unknown
from funcflow.registries.lookup import Registries
from tests import webserver
from tests.webserver import Answer, Asked, Server
from tools.services import registry

HOST = "localhost"
BASIC = base64.b64encode(b"reader:hush").decode()


def registries(**options: Any) -> Registries:
    return Registries(conf.load(registries={"allow": ["127.0.0.0/8", "::1"], **options}))


def unknown(image: str, **options: Any) -> str:
    with pytest.raises(Unknown) as caught:
        registries(**options).find(image)
    return str(caught.value)


# -- tokens ---------------------------------------------------------------------------------------


class Tokens:
    """A token server: everybody who knows the word may pull what is asked for."""

    def __init__(self, server: Server, certificate: Path) -> None:
        self.server = server
        text = certificate.read_bytes()
        self._key = serialization.load_pem_private_key(text, None)
        der = x509.load_pem_x509_certificate(text).public_bytes(serialization.Encoding.DER)
        self._chain = [base64.b64encode(der).decode()]
        server.on("/token", self._answer)

    def _answer(self, asked: Asked, _: BaseHTTPRequestHandler) -> Answer:
        if asked.headers.get("authorization") != f"Basic {BASIC}":
            return Answer(401, b"{}")
        query = dict(urllib.parse.parse_qsl(asked.path.partition("?")[2]))
        kind, name, actions = query["scope"].split(":")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}]
        now = int(time.time())
        claims = {"iss": "test", "sub": "reader", "aud": query["service"], "access": access}
        claims |= {"nbf": now - 600, "iat": now - 600, "exp": now + 600, "jti": "1"}
        return Answer(body=json.dumps({"token": self._signed(claims)}).encode())

    def _signed(self, claims: dict[str, Any]) -> str:
        head = {"typ": "JWT", "alg": "ES256", "x5c": self._chain}
        text = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        pair = utils.decode_dss_signature(self._key.sign(text, ec.ECDSA(hashes.SHA256())))
        signature = b"".join(number.to_bytes(32, "big") for number in pair)
        return (text + b"." + _encoded(signature)).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return webserver.certificate(tmp_path_factory.mktemp("tls"), HOST)


@pytest.fixture(scope="module")
def tokens(certificate: Path) -> Iterator[Tokens]:
    with webserver.serving(certificate) as server:
        yield Tokens(server, certificate)


@pytest.fixture(scope="module")
def guarded(
    image_registry: registry.Server,
    digest: str,
    certificate: Path,
    tokens: Tokens,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[registry.Server]:
    """The same images with TLS, for those who bring a token."""
    realm = f"https://{HOST}:{tokens.server.port}/token"
    auth = {"realm": realm, "service": "images", "issuer": "test"}
    server = registry.Server(
        tmp_path_factory.mktemp("guarded"),
        images=image_registry.images,
        auth={"token": auth | {"rootcertbundle": str(certificate)}},
        certificate=certificate,
        host=HOST,
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_with_a_token(
    guarded: registry.Server, tokens: Tokens, certificate: Path, digest: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {guarded.address: {"auth": BASIC}}}))
    known = registries(ca=str(certificate), credentials=str(file))
    before = len(tokens.server.asked)
    assert known.find(f"{guarded.address}/team/ocr:3").digest == digest
    assert len(tokens.server.asked) == before + 1  # One for all that is asked.


def test_without_credentials_for_a_token(guarded: registry.Server, certificate: Path) -> None:
    said = unknown(f"{guarded.address}/team/ocr:3", ca=str(certificate))
    assert said == f"the token server of {guarded.address} refuses"


def test_a_certificate_that_nobody_vouches_for(guarded: registry.Server) -> None:
    assert "TLS" in unknown(f"{guarded.address}/team/ocr:3")


# -- lies -----------------------------------------------------------------------------------------


@pytest.fixture
def liar() -> Iterator[Server]:
    with webserver.serving() as server:
        yield server


def asked(server: Server, name: str = "a:1", **options: Any) -> str:
    address = f"127.0.0.1:{server.port}"
    return unknown(f"{address}/{name}", insecure=[address], **options)


def body(document: Any) -> Answer:
    return Answer(body=json.dumps(document).encode())


def sha256(document: Any) -> str:
    return f"sha256:{hashlib.sha256(json.dumps(document).encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(body=b"not JSON"), "no JSON object"),
        (Answer(body=b"[" * 100_000), "no JSON object"),
        (body([]), "no JSON object"),
        (body({"schemaVersion": 1}), "form of long ago"),
        (body({"manifests": []}), "not for Linux"),
        (body({"manifests": [7]}), "not for Linux"),
        (body({"manifests": [{"platform": {"os": "linux"}, "digest": "no"}]}), "404"),
        (body({"config": {"digest": "../../secret"}}), "404"),
        (Answer(404, b"{}"), "404"),
        (Answer(403), "does not let us see"),
        (Answer(500), "500"),
        (Answer(401), "wants credentials"),
        (Answer(401, headers={"WWW-Authenticate": "Bearer"}), "wants credentials"),
        (Answer(401, headers={"WWW-Authenticate": 'Bearer realm="file:///etc"'}), "URL"),
        (
            Answer(401, headers={"WWW-Authenticate": 'Bearer realm="http://169.254.169.254/"'}),
            "may not be reached",
        ),
        (Answer(body=b" " * (5 << 20)), "more than"),
        (Answer(302, headers={"Location": "http://10.0.0.1/"}), "may not be reached"),
    ],
)
def test_what_makes_no_sense_is_said(liar: Server, answer: Answer, says: str) -> None:
    liar.on("/v2/a/manifests/1", answer)
    assert says in asked(liar)


def test_another_manifest_than_the_one_asked_for(liar: Server) -> None:
    wanted = f"sha256:{'a' * 64}"
    liar.on(f"/v2/a/manifests/{wanted}", body({"config": {}}))
    assert "another manifest" in asked(liar, f"a@{wanted}")


def test_another_blob_than_the_one_named(liar: Server) -> None:
    wanted = sha256({"config": {"Cmd": ["good"]}})
    liar.on("/v2/a/manifests/1", body({"config": {"digest": wanted}}))
    liar.on(f"/v2/a/blobs/{wanted}", body({"config": {"Cmd": ["evil"]}}))
    assert "another blob" in asked(liar)


@pytest.mark.parametrize("words", ["text", [1], {"a": 1}])
def test_a_command_that_is_none(liar: Server, words: Any) -> None:
    config = {"config": {"Cmd": words}}
    liar.on("/v2/a/manifests/1", body({"config": {"digest": sha256(config)}}))
    liar.on(f"/v2/a/blobs/{sha256(config)}", body(config))
    assert "no list of words" in asked(liar)


def test_it_does_not_wait_for_ever(liar: Server) -> None:
    def slow(_: Asked, connection: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            connection.rfile.read(1)  # Until the other end hangs up.

    liar.on("/v2/a/manifests/1", slow)
    assert "did not answer in time" in asked(liar, timeout=0.2)


def test_a_token_server_that_gives_none(liar: Server) -> None:
    realm = {"WWW-Authenticate": f'Bearer realm="{liar.url("/token")}",service="s"'}
    liar.on("/v2/a/manifests/1", Answer(401, headers=realm))
    liar.on("/token", body({"token": 7}))
    assert "gave no token" in asked(liar)
    liar.on("/token", body({"access_token": "word"}))
    assert "does not let us see" in asked(liar)
    assert liar.asked[-1].headers["authorization"] == "Bearer word"


def test_blobs_may_be_elsewhere_and_the_token_stays_here(liar: Server) -> None:
    config = {"config": {"Entrypoint": ["run"]}}
    address = f"127.0.0.1:{liar.port}"
    token = {"WWW-Authenticate": f'Bearer realm="{liar.url("/token")}"'}

    def manifest(asked: Asked, _: BaseHTTPRequestHandler) -> Answer:
        if "authorization" not in asked.headers:
            return Answer(401, headers=token)
        return body({"config": {"digest": sha256(config)}})

    with webserver.serving() as store:
        liar.on("/v2/a/manifests/1", manifest)
        liar.on("/token", body({"token": "word"}))
        place = {"Location": store.url("/blob")}
        liar.on(f"/v2/a/blobs/{sha256(config)}", Answer(307, headers=place))
        store.on("/blob", body(config))
        assert registries(insecure=[address]).find(f"{address}/a:1").entrypoint == ("run",)
        (got,) = store.asked
    assert "authorization" not in got.headers
