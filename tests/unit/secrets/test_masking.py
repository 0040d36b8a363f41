"""Known values are hidden, however the text that has them is cut."""

from __future__ import annotations

import itertools
import json
import logging
import random

import pytest

from funcflow import models
from funcflow.secrets import masking

PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n  hkiG9w0BAQEFAASC\n-----END KEY-----\n"


def masked(values: list[str], pieces: list[str], stream: str = "stdout") -> list[str]:
    got: list[str] = []
    mask = masking.Mask(values, lambda chunk: got.append(chunk.text))
    for piece in pieces:
        mask.add(models.LogChunk(stream, piece, 1.0))  # type: ignore[arg-type]
    mask.end()
    return got


@pytest.mark.parametrize(
    ("values", "text", "shown"),
    [
        (["hunter22"], "it is hunter22!", "it is ***!"),
        (["hunter22", "hunter22-long"], "hunter22-long", "***"),
        (["aaaa"], "aaaaaaaa aaa", "****** aaa"),
        ([PEM], PEM, "***\n***\n  ***\n***\n"),
        (['quo"te\\d'], json.dumps('quo"te\\d'), '"***"'),
        (["nése"], json.dumps("nése"), '"***"'),
        (["né\tx!"], repr("né\tx!"), "'***'"),
        (["abc", ""], "abc", "abc"),
        (["x" * 3000], "x" * 3000 + "y", "*********y"),
        ([], "nothing", "nothing"),
    ],
)
def test_values_are_hidden(values: list[str], text: str, shown: str) -> None:
    assert "".join(masked(values, [text])) == shown


def test_however_it_is_cut() -> None:
    text = "a hunter22 and hunhunter22hunt\n"
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        pieces = [text[:first], text[first:second], text[second:]]
        assert "".join(masked(["hunter22"], pieces)) == "a *** and hun***hunt\n"
    assert "".join(masked(["hunter22"], list(text))) == "a *** and hun***hunt\n"


def test_streams_are_apart_and_nothing_is_lost() -> None:
    got: list[models.LogChunk] = []
    mask = masking.Mask(["hunter22"], got.append)
    for stream, text in [("stdout", "hunt"), ("stderr", "er22"), ("stdout", "ing"), ("stderr", "")]:
        mask.add(models.LogChunk(stream, text, 1.0))  # type: ignore[arg-type]
    mask.end()
    shown = {s: "".join(c.text for c in got if c.stream == s) for s in ("stdout", "stderr")}
    assert shown == {"stdout": "hunting", "stderr": "er22"}


def test_random_cuts_of_random_text() -> None:
    random.seed(7)
    for _ in range(300):
        value = "".join(random.choices("ab", k=random.randint(4, 7)))
        text = "".join(random.choices("ab ", k=60)) + value
        cuts = sorted(random.sample(range(len(text)), 5))
        pieces = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
        shown = "".join(masked([value], pieces))
        assert value not in shown
        assert shown.replace("***", value) == text


def test_errors_are_hidden() -> None:
    mask = masking.Mask(["hunter22"], lambda _: None)
    error = models.FunctionError(type="E", message="bad hunter22", trace=("f('hunter22')",))
    hidden = mask.error(error)
    assert hidden == models.FunctionError(type="E", message="bad ***", trace=("f('***')",))
    assert mask.error(None) is None


def test_our_own_log_has_none(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("funcflow.test")
    undo = masking.install(lambda: masking.Known(["hunter22"]))
    try:
        log.warning("it is %s", "hunter22")
        try:
            raise ValueError("hunter22")
        except ValueError:
            log.exception("and %d", 1)
        log.warning("plain %s", "text")
    finally:
        undo()
    assert "hunter22" not in caplog.text
    assert "it is ***" in caplog.text
    assert "ValueError: ***" in caplog.text
    assert "plain text" in caplog.text
    log.warning("hunter22")
    assert "hunter22" in caplog.text, "it is undone"
