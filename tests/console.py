"""The examples of our documents, as tests run them.

A fenced ``console`` block below a line ``<!-- run -->`` is an example; below ``<!-- run in a cloud
-->`` it is one that needs Keystone and more (:mod:`tests.integration.guides`). Lines after ``$ ``
are commands (a here-document and lines ended by a backslash go on); other lines are what the
command before them prints, stdout and stderr together, where ``...`` stands for anything. Where
nothing is shown, anything goes.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

_BLOCK = r"^<!-- {} -->\n```console\n(.*?)^```$"
_HERE = re.compile(r"<<-?\s*['\"]?(\w+)")
_MARK = "\x1d"


@dataclasses.dataclass(frozen=True)
class Example:
    """One command and what its document shows of its output."""

    line: int
    command: str
    shown: str

    def at(self, documented: str, actual: str) -> Example:
        """The same against another address than the document's."""
        return dataclasses.replace(self, command=self.command.replace(documented, actual))


@dataclasses.dataclass(frozen=True)
class Ran:
    """One command and what came of it."""

    example: Example
    status: int
    output: str

    def __str__(self) -> str:
        shown = f"document shows:\n{self.example.shown}\n" if self.example.shown else ""
        told = f"printed (status {self.status}):\n{self.output}"
        return f"line {self.example.line}: $ {self.example.command}\n{shown}{told}"

    @property
    def as_shown(self) -> bool:
        """Whether it worked and printed what the document shows."""
        if self.status or not self.example.shown:
            return self.status == 0
        pattern = ".*".join(map(re.escape, self.example.shown.split("...")))
        return re.fullmatch(pattern, self.output.strip(), re.DOTALL) is not None


def examples(document: Path, mark: str = "run") -> list[Example]:
    """Every example of a document that is marked so, in order."""
    text = document.read_text()
    found: list[Example] = []
    for block in re.finditer(_BLOCK.format(mark), text, re.MULTILINE | re.DOTALL):
        first = text[: block.start(1)].count("\n") + 1
        found += _commands(block[1].splitlines(), first)
    return found


def run(
    found: list[Example], folder: Path, env: Mapping[str, str], *, keep_going: bool = True
) -> list[Ran]:
    """Run all of them in one bash in ``folder``, so that later ones see earlier ones' variables.

    Unless ``keep_going``, the first that fails is the last: what comes next may wait for it.
    """
    end = "" if keep_going else "[ $status = 0 ] || exit 0\n"
    told = f"status=$?; printf '{_MARK}%d{_MARK}' $status\n{end}"
    steps = (f"{{ {one.command}\n}} 2>&1\n{told}" for one in found)
    done = subprocess.run(
        ["bash", "--norc", "-uo", "pipefail", "-c", "".join(steps)],
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    pieces = done.stdout.split(_MARK)
    outputs, statuses = pieces[0::2], pieces[1::2]
    return [
        Ran(one, int(status), output)
        for one, output, status in zip(found, outputs, statuses, strict=False)
    ]


def _commands(lines: list[str], first: int) -> Iterator[Example]:
    """``first``: number of the line in the document."""
    rest = list(enumerate(lines, first))
    while rest:
        number, line = rest.pop(0)
        if not line.startswith("$ "):
            raise ValueError(f"line {number}: output without a command: {line!r}")
        command = [line[2:]]
        while command[-1].endswith("\\"):
            command.append(rest.pop(0)[1])
        if here := _HERE.search(line):
            while command[-1] != here[1]:
                command.append(rest.pop(0)[1])
        shown = []
        while rest and not rest[0][1].startswith("$ "):
            shown.append(rest.pop(0)[1])
        yield Example(number, "\n".join(command), "\n".join(shown))
