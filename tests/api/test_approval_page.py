"""The page on which people decide: what it shows, and that it does nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from funcflow import models
from funcflow.api import approval_page as page
from funcflow.approvals import Question

EVIL = "<script>alert('1')</script>\"' onload=x &amp; \ud800"


class Seen(HTMLParser):
    """Texts and tags of a page, as a browser takes them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def question(request: Any, **fields: Any) -> Question:
    execution = models.CompositionExecution(
        id="e", project_id="p", composition_id="c", revision=1, name="n", seed="s", created_at=0.0
    )
    given = {"state": "Approve", "asked_at": 1.8e9, "due_at": None, **fields}
    return Question(execution=execution, request=request, **given)


@pytest.mark.parametrize(
    ("request_", "title", "details"),
    [
        ("May I?", "May I?", None),
        ({"Message": "May I?", "Amount": 5}, "May I?", '"Amount": 5'),
        ({"Message": "May I?"}, "May I?", None),
        ({"Message": 1}, "Do you approve?", '"Message": 1'),
        (None, "Do you approve?", None),
    ],
)
def test_what_is_asked_is_shown(request_: Any, title: str, details: str | None) -> None:
    seen = Seen(page.question(question(request_, due_at=1.8e9 + 60), "orders"))
    assert title in seen.text
    assert "Composition orders, execution n, state Approve." in seen.text
    assert "Until 2027-01-15 08:01:00 UTC." in seen.text
    shown = [tag for tag, _ in seen.tags if tag == "pre"]
    assert shown == (["pre"] if details else [])
    assert details is None or details in seen.text


@pytest.mark.parametrize("request_", [EVIL, {"Message": EVIL, EVIL: [EVIL]}, [EVIL]])
def test_strangers_words_stay_words(request_: Any) -> None:
    text = page.question(question(request_, state=EVIL), EVIL)
    text.encode()
    seen = Seen(text)
    assert {tag for tag, _ in seen.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "p", "pre"),
        *("form", "label", "textarea", "button"),
    }
    assert not any(name.startswith("on") for _, attrs in seen.tags for name in attrs)
    assert "<script>alert('1')</script>" in seen.text


def test_a_decision_is_a_post_to_the_same_address() -> None:
    seen = Seen(page.question(question("May I?"), "orders"))
    (form,) = [attrs for tag, attrs in seen.tags if tag == "form"]
    assert form == {"method": "post"}
    buttons = [attrs for tag, attrs in seen.tags if tag == "button"]
    assert [(b["name"], b["value"]) for b in buttons] == [
        ("decision", "approve"),
        ("decision", "reject"),
    ]


def test_the_page_loads_nothing_and_tells_nobody_its_address() -> None:
    policy = page.HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert page.HEADERS["Referrer-Policy"] == "same-origin"
    assert page.HEADERS["Cache-Control"] == "no-store"
    style = re.search(r"<style>(.*?)</style>", page.decided(approved=True), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


def test_other_pages() -> None:
    assert "Approved" in Seen(page.decided(approved=True)).text
    assert "Rejected" in Seen(page.decided(approved=False)).text
    assert "No task has this token." in Seen(page.over("no task has this token")).text
