"""Who is let in."""

from __future__ import annotations

import json
import socket
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.podding import KEY, LocalAgent, Pod

STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def refused(pod: Pod) -> bool:
    return pod.receive() is None


def test_what_an_agent_tells_anybody(agent: LocalAgent) -> None:
    with agent.connect(prove=False) as pod:
        assert pod.hello is not None
        assert set(pod.hello) == {"op", "version", "pod", "nonce", "language", "limits", "asks"}
        assert (pod.hello["version"], pod.hello["language"], pod.hello["pod"]) == (
            1,
            "python3",
            "pod",
        )


def test_a_proof(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        assert pod.welcome == {"op": "welcome", "state": "generic", "digest": None}


def test_the_wrong_key(agent: LocalAgent) -> None:
    with agent.connect(prove=False) as pod:
        pod.prove("pod", STRANGER)
        assert pod.welcome is None


def test_a_proof_for_another_pod(agent: LocalAgent) -> None:
    """What a pod that was taken over could pass on."""
    with agent.connect(prove=False) as pod:
        pod.prove("another")
        assert pod.welcome is None


def test_a_proof_of_another_connection(agent: LocalAgent) -> None:
    with agent.connect(prove=False) as first, agent.connect(prove=False) as second:
        assert first.hello is not None
        text = f"funcflow-pod-1\npod\n{first.hello['nonce']}".encode()
        second.send({"op": "prove", "signature": KEY.sign(text).hex()})
        assert refused(second)


@pytest.mark.parametrize(
    "message",
    [
        {"op": "prove"},
        {"op": "prove", "signature": 7},
        {"op": "prove", "signature": "zz"},
        {"op": "load", "entry": "main.main"},
        {"op": "invoke", "id": "1"},
        {"op": "prove", "signature": "0" * 5000},
    ],
)
def test_anything_else(agent: LocalAgent, message: dict[str, object]) -> None:
    with agent.connect(prove=False) as pod:
        pod.send(message)
        assert refused(pod)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"nonsense", b'{"op": 1}', b"\xff"])
def test_no_frames(agent: LocalAgent, body: bytes) -> None:
    with agent.connect(prove=False) as pod:
        pod.sock.sendall(struct.pack(">I", len(body)) + body)
        assert refused(pod)


def test_probes_come_and_go(agent: LocalAgent) -> None:
    for _ in range(40):
        socket.create_connection(("127.0.0.1", agent.port)).close()
    with agent.connect() as pod:
        assert pod.welcome is not None


def test_a_crowd_of_strangers_does_not_keep_a_conductor_out(agent: LocalAgent) -> None:
    strangers = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(40)]
    try:
        with agent.connect() as pod:
            assert pod.welcome is not None
    finally:
        for stranger in strangers:
            stranger.close()


def test_the_latest_conductor_wins(agent: LocalAgent) -> None:
    with agent.connect() as first, agent.connect() as second:
        assert second.welcome is not None
        assert refused(first)
        second.send({"op": "end"})
        ended = second.receive()
        assert ended is not None
        assert ended["reason"] == "end"


def test_a_key_that_is_told_is_all_there_is(agent: LocalAgent) -> None:
    """The environment of the agent has public keys only, and nothing of it reaches the function."""
    with agent.connect() as pod:
        source = "import os\ndef main():\n    return dict(os.environ)"
        assert pod.load({"main.py": source}) == {"op": "ready"}
        environment = json.loads(pod.call("run")["value"])
        told = {name for name in environment if name.startswith(("FUNCFLOW", "PYTHONPATH"))}
        assert told == {"FUNCFLOW_METADATA_URL"}
