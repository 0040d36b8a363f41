"""The documents say what there is: options, errors, metrics, commands, drivers, paths, links."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf, errors, handover, sharing, wire
from funcflow.api import packages
from funcflow.api.controllers import quotas as quota_controllers
from funcflow.auth import guard
from funcflow.quotas import base as quotas
from funcflow.sandboxes import base as sandbox_base

ROOT = Path(__file__).parents[2]
_FOLDERS = [ROOT / "doc", ROOT / "examples", ROOT / "devstack"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(p for each in _FOLDERS for p in each.rglob("*.md"))])
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \|", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / "doc" / name).read_text()


def sections(document: str) -> dict[str, str]:
    """{heading: what is below it, up to the next one of the same or a higher level}."""
    headings = list(re.finditer(r"^(#+) (.*)$", document, re.MULTILINE))
    found = {}
    for number, heading in enumerate(headings):
        later = (h.start() for h in headings[number + 1 :] if len(h[1]) <= len(heading[1]))
        found[heading[2]] = document[heading.end() : next(later, None)]
    return found


def anchors(path: Path) -> set[str]:
    """What a link into the document may end with."""
    titles = re.findall(r"^#+ (.*)$", _FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# -- links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCE.sub("", path.read_text())):
        target, _, anchor = link.partition("#")
        if "://" in link or target.startswith("mailto:"):
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert not broken


def test_every_document_is_in_the_index() -> None:
    index = _LINK.findall(text("README.md"))
    pages = [path.name for path in (ROOT / "doc").glob("*.md") if path.name != "README.md"]
    pages += [f"guides/{path.name}" for path in (ROOT / "doc/guides").glob("*.md")]
    assert [page for page in pages if page not in index] == []


@pytest.mark.parametrize("path", sorted((ROOT / "doc").glob("*.md")), ids=lambda path: path.name)
def test_files_that_documents_name_are_there(path: Path) -> None:
    tops = "funcflow|taskflow_flows|mistral_actions|runtimes|tests|tools|etc|benchmarks|examples"
    tops += "|devstack"
    named = re.findall(rf"`((?:{tops})/[\w./-]+\w)`", path.read_text())
    gone = [name for name in named if not (ROOT / name).exists()]
    gone = [name for name in gone if not (ROOT / f"{name}.py").exists()]
    assert not gone


def test_the_table_of_nouns_names_files_that_are_there() -> None:
    table = sections(text("architecture.md"))["Where to find what"]
    named = re.findall(r"`((?:(?:api|db|cli|conductor|tests)/)[\w/]+\.py)`", table)
    assert len(named) > 20
    assert [n for n in named if not ((ROOT / n).exists() or (ROOT / "funcflow" / n).exists())] == []


# -- options ----------------------------------------------------------------------------------


def documented_options() -> set[tuple[str, str]]:
    """(group, option) of the operator guide's table."""
    found, group = set(), ""
    for line in sections(text("operator.md"))["Every option"].splitlines():
        if title := re.match(r"\| \*\*\[(\w+)\]\*\*", line):
            group = title[1]
        elif line.startswith("| `"):
            found |= {(group, name) for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    return found


def test_every_option_is_explained_and_no_other() -> None:
    there = {(group, option.dest) for group, options in conf.list_opts() for option in options}
    assert documented_options() == there


# -- errors -----------------------------------------------------------------------------------


def codes() -> Iterator[str]:
    """Every error code the code can make: of classes, and given as ``code=``."""
    for room in ("funcflow", "taskflow_flows"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                yield from _of_class(node)
                yield from _of_call(node)


def _of_class(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.ClassDef):
        return
    for line in node.body:
        if not isinstance(line, ast.Assign):
            continue
        target, value = line.targets[0], line.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            target, value = target.elts[0], value.elts[0]
        if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
            yield str(value.value)


def _of_call(node: ast.AST) -> Iterator[str]:
    for keyword in node.keywords if isinstance(node, ast.Call) else ():
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
            yield str(keyword.value.value)


def test_every_error_code_is_explained_and_no_other() -> None:
    explained = _ROW.findall(sections(text("api.md"))["Error codes"])
    assert {code for code, _ in explained} == set(codes())


def test_error_codes_have_the_status_that_is_said() -> None:
    explained = dict(_ROW.findall(sections(text("api.md"))["Error codes"]))
    kinds = [errors.FuncflowError, *_below(errors.FuncflowError)]
    # Those outside errors.py have to be imported to be found.
    others = {handover.Full, wire.Refused, packages.NoPackage, sandbox_base.SandboxError}
    ours = {guard.Denied, guard.WrongScope, sharing.NotShared, quotas.QuotaBusy}
    assert others | ours | {quota_controllers.NotOurs} < {*kinds}
    said = {kind.code: int(explained[kind.code]) for kind in kinds}
    assert said == {kind.code: kind.status for kind in kinds}


def _below(kind: type[errors.FuncflowError]) -> Iterator[type[errors.FuncflowError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("funcflow."):
            yield child
            yield from _below(child)


# -- metrics, commands, drivers, paths --------------------------------------------------------


def test_every_metric_is_explained_and_no_other() -> None:
    source = "".join(path.read_text() for path in (ROOT / "funcflow").rglob("metrics.py"))
    # A counter is shown with the ending that Prometheus gives it.
    there = {
        f"{name}_total" if name.endswith("executions_accepted") else name
        for name in re.findall(r'"(funcflow_\w+[a-z])"', source)
    }
    table = sections(text("operator.md"))["Metrics"].partition("Worth an alarm")[0]
    names = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(funcflow_\w+)`", names)) == there


def entry_points() -> dict[str, list[str]]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = {
        group: [line.partition("=")[0].strip() for line in value.strip().splitlines()]
        for group, value in setup["entry_points"].items()
    }
    assert "funcflow.jobboards" in lines
    return lines


def test_every_command_is_shown() -> None:
    page = re.sub(r"`dlq ", "`funcflow dlq ", text("cli.md"))
    commands = [name.replace("_", " ") for name in entry_points()["funcflow.cli"]]
    assert [name for name in commands if f"funcflow {name}" not in page] == []


def test_every_seam_and_driver_is_listed() -> None:
    table = sections(text("architecture.md"))["Seams"]
    rows = {row.split("`")[1]: row for row in table.splitlines() if row.startswith("| `")}
    command = "funcflow.cli"
    for group, drivers in entry_points().items():
        if group.startswith("funcflow.") and group != command:
            assert group in rows
            assert [name for name in drivers if f"`{name}`" not in rows[group]] == []


def test_promises_name_tests_that_are_there() -> None:
    named = re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py|tests/\w+)`", text("promises.md"))
    assert named
    missing = [
        name
        for name in named
        if not (ROOT / name).exists() and not list((ROOT / "tests").rglob(name))
    ]
    assert not missing
