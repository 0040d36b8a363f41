"""Encrypted connections; all else about the transport is in test_client."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.cli import faults
from funcflow.cli.client import Client
from funcflow.cli.transport import DirectTransport
from tests.unit.cli.double import Double


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and the certificate of 127.0.0.1, signed by itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=double", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path), "-out", str(path.with_name("certificate.pem"))]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    with path.open("a") as both:
        both.write(path.with_name("certificate.pem").read_text())
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Double]:
    double = Double()
    double.encrypt(certificate)
    with double.serving():
        yield double


def test_a_server_is_trusted_whose_ca_is_named(secure: Double, certificate: Path) -> None:
    secure.will({"runtimes": []})
    ca = str(certificate.with_name("certificate.pem"))

    assert list(Client(DirectTransport(secure.url, ca_file=ca)).runtimes.list()) == []


def test_a_server_nobody_vouches_for_is_not_talked_to(secure: Double) -> None:
    with pytest.raises(faults.Unreachable, match="CERTIFICATE_VERIFY_FAILED") as told:
        list(Client(DirectTransport(secure.url)).runtimes.list())

    assert "--ca-file" in str(told.value)
    assert secure.seen == []


def test_a_ca_file_that_is_not_there_is_told() -> None:
    with pytest.raises(faults.ClientError, match=r"gone\.pem"):
        DirectTransport("https://127.0.0.1:1", ca_file="gone.pem")
