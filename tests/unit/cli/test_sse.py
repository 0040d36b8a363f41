from __future__ import annotations

from funcflow.cli import sse


def test_events_are_read_however_the_bytes_are_cut() -> None:
    stream = (
        b"retry: 500\r\n\r\n: a comment\n\nid: 1\nevent: log\ndata: a\ndata: \xc3\xa9\n\n"
        b"data:two\n\nevent: end\ndata: {}\n\nid: 9\ndata: cut off"
    )
    expected = [
        sse.Event("a\né", "log", "1"),
        sse.Event("two", "message", "1"),
        sse.Event("{}", "end", "1"),
    ]
    for size in (1, 2, 3, 7, len(stream)):
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert list(sse.read(chunks)) == expected
