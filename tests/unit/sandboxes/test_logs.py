"""One run's output: decoded, bounded, the cut marked."""

from __future__ import annotations

import pytest

from funcflow.sandboxes.stream import logs
from tests.sandboxing import Log


def test_a_character_split_over_two_pieces() -> None:
    sink = Log()
    log = logs.RunLog(sink, 100)
    log.add("stdout", "ä".encode()[:1])
    log.add("stderr", b"other")
    log.add("stdout", "ä".encode()[1:])
    log.end()
    assert sink.text("stdout") == "ä"
    assert [chunk.seq for chunk in sink.chunks] == [0, 1]


def test_half_a_character_at_the_end_is_shown() -> None:
    sink = Log()
    log = logs.RunLog(sink, 100)
    log.add("stdout", "ä".encode()[:1])
    log.end()
    assert sink.text() == "\ufffd"


@pytest.mark.parametrize(("size", "cut"), [(9, False), (10, False), (11, True), (1000, True)])
def test_the_limit_counts_both_streams(size: int, cut: bool) -> None:
    sink = Log()
    log = logs.RunLog(sink, 10)
    log.add("stdout", b"12345")
    log.add("stderr", b"x" * (size - 5))
    log.add("stdout", b"")
    log.end()
    assert len(sink.text("stdout", "stderr")) == min(size, 10)
    assert ("log cut" in sink.text("system")) == cut == log.cut


def test_the_tail_of_stderr_is_kept_beyond_the_cut() -> None:
    log = logs.RunLog(Log(), 10)
    log.add("stderr", b"x" * 100_000 + b"the reason")
    assert log.tail.endswith(b"the reason")
    assert len(log.tail) < 5000


def test_a_failing_sink_ends_the_log_not_the_run() -> None:
    calls = []

    def sink(chunk: object) -> None:
        calls.append(chunk)
        raise RuntimeError("full")

    log = logs.RunLog(sink, 100)
    log.add("stdout", b"a")
    log.add("stdout", b"b")
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("a\0b", "a\ufffdb"), ("\ud800ä", "?ä"), ("fine", "fine"), ("ä\0", "ä\ufffd")],
)
def test_clean(given: str, wanted: str) -> None:
    assert logs.clean(given) == wanted
