"""The text of a JSONata expression, read without evaluating it.

Called by :mod:`.jsonata` at compile time. Tells which state variables an expression
refers to, which parts of ``$states`` it can see, and whether it is *tame*: unable to
make much more data than it is given, so that it may run inside this process. The rest
(functions of its own, ranges, variables, joins…) runs in the helper process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from funcflow.compositions.expressions.base import Malformed

MAX_LENGTH = 64 * 1024
#: Tokens: bounds how deep the library's parser and evaluator recurse.
MAX_TOKENS = 5000

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<comment>/\*.*?\*/)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<quoted>`[^`]*`)"
    r"|(?P<variable>\$\$|\$\w*)|(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)|(?P<operator>\.\.|:=|~>|!=|<=|>=|\*\*|\?:|\?\?|.)",
    re.S,
)
_OPERAND = frozenset({"string", "quoted", "variable", "number", "name", "regex"})
_WORDS = frozenset({"and", "or", "in"})

#: JSONata's functions and AWS's, without the dollar.
BUILTINS = frozenset(
    [
        "abs",
        "append",
        "assert",
        "average",
        "base64decode",
        "base64encode",
        "boolean",
        "ceil",
        "clone",
        "contains",
        "count",
        "decodeUrl",
        "decodeUrlComponent",
        "distinct",
        "each",
        "encodeUrl",
        "encodeUrlComponent",
        "error",
        "eval",
        "exists",
        "filter",
        "floor",
        "formatBase",
        "formatInteger",
        "formatNumber",
        "fromMillis",
        "join",
        "keys",
        "length",
        "lookup",
        "lowercase",
        "map",
        "match",
        "max",
        "merge",
        "millis",
        "min",
        "not",
        "now",
        "number",
        "pad",
        "parseInteger",
        "power",
        "random",
        "reduce",
        "replace",
        "reverse",
        "round",
        "shuffle",
        "sift",
        "single",
        "sort",
        "split",
        "spread",
        "sqrt",
        "string",
        "substring",
        "substringAfter",
        "substringBefore",
        "sum",
        "toMillis",
        "trim",
        "type",
        "uppercase",
        "zip",
        "partition",
        "range",
        "hash",
        "uuid",
        "parse",
    ]
)
#: Functions whose answer and time are in proportion to their arguments.
_LINEAR = frozenset(
    [
        "abs",
        "append",
        "average",
        "boolean",
        "ceil",
        "contains",
        "count",
        "exists",
        "floor",
        "formatBase",
        "formatNumber",
        "fromMillis",
        "keys",
        "length",
        "lookup",
        "lowercase",
        "max",
        "merge",
        "millis",
        "min",
        "not",
        "now",
        "number",
        "parseInteger",
        "partition",
        "power",
        "random",
        "range",
        "reverse",
        "round",
        "sort",
        "split",
        "sqrt",
        "substring",
        "substringAfter",
        "substringBefore",
        "sum",
        "toMillis",
        "trim",
        "type",
        "uppercase",
        "zip",
        "hash",
        "uuid",
        "parse",
        "shuffle",
    ]
)
#: Functions that, applied to themselves often, make little much.
_GROWING = frozenset(["string", "base64encode", "encodeUrl", "encodeUrlComponent"])
_WILD = frozenset({":=", "..", "~>", "**", "@", "#", "^"})
_STATES = frozenset({"input", "context", "result", "errorOutput"})

_MAX_TAME_TEXT = 2000
_MAX_TAME_ROOTS = 16
_MAX_TAME_SELF = 16


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str


def tokens_of(text: str) -> list[Token]:
    """The tokens without blanks and comments; what is malformed is left to the parser."""
    if len(text) > MAX_LENGTH:
        raise Malformed(f"An expression has at most {MAX_LENGTH} characters.")
    tokens: list[Token] = []
    offset = 0
    while match := _TOKEN.match(text, offset):
        kind, end = match.lastgroup or "operator", match.end()
        if match[0] == "/" and not _after_operand(tokens):
            kind, end = "regex", _end_of_regex(text, offset)
        if kind not in ("space", "comment"):
            tokens.append(Token(kind, text[offset:end]))
            if len(tokens) > MAX_TOKENS:
                raise Malformed(f"An expression has at most {MAX_TOKENS} parts.", offset)
        offset = end
    return tokens


def _after_operand(tokens: list[Token]) -> bool:
    if not tokens:
        return False
    last = tokens[-1]
    if last.kind == "name":
        return last.text not in _WORDS
    return last.kind in _OPERAND or last.text in (")", "]", "}")


def _end_of_regex(text: str, offset: int) -> int:
    """JSONata ends a pattern at the first / outside of brackets, then takes flags."""
    depth, place = 0, offset + 1
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "/" and depth == 0:
            place += 1
            while place < len(text) and text[place] in "im":
                place += 1
            return place
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        place += 1
    return len(text)


@dataclass(frozen=True)
class Source:
    """One expression's text, taken apart."""

    text: str
    tokens: list[Token] = field(repr=False)

    def _at(self, place: int) -> str:
        return self.tokens[place].text if 0 <= place < len(self.tokens) else ""

    @cached_property
    def calls(self) -> frozenset[str]:
        """Names of the functions it names, called or handed on."""
        return frozenset(
            token.text[1:]
            for token in self.tokens
            if token.kind == "variable" and token.text[1:] in BUILTINS
        )

    @cached_property
    def variables(self) -> frozenset[str]:
        """State variables: names that are no function, not $states, not bound inside."""
        bound = self._bound()
        return frozenset(
            token.text[1:]
            for place, token in enumerate(self.tokens)
            if token.kind == "variable"
            and token.text not in ("$", "$$", "$states")
            and token.text not in bound
            and not (token.text[1:] in BUILTINS and not self._variable_use(place))
            and self._at(place + 1) != "("
        )

    def _variable_use(self, place: int) -> bool:
        # A built-in's name before one of these can only be a variable of that name.
        return self._at(place + 1) in (".", "[", "=", "!=", "+", "-", "*", "&")

    def _bound(self) -> set[str]:
        bound = set()
        for place, token in enumerate(self.tokens):
            if token.kind == "variable" and (
                self._at(place + 1) == ":=" or self._at(place - 1) in ("@", "#")
            ):
                bound.add(token.text)
            if token.text in ("function", "λ") and self._at(place + 1) == "(":
                bound.update(self._parameters(place + 2))
        return bound

    def _parameters(self, place: int) -> list[str]:
        names = []
        while place < len(self.tokens) and self._at(place) != ")":
            names.append(self._at(place))
            place += 1
        return names

    @cached_property
    def states(self) -> dict[str, frozenset[str] | None]:
        """Which fields of each part of $states it can see; None: all of the part.

        ``$states.input.a`` sees field a of the input alone, so that only that much has to
        be handed to the library, which copies all it is given.
        """
        seen: dict[str, frozenset[str] | None] = {}
        for place, token in enumerate(self.tokens):
            if token.text != "$states":
                continue
            part = self._at(place + 2)
            if self._at(place + 1) != "." or part not in _STATES:
                return dict.fromkeys(_STATES)
            named = self._at(place + 3) == "." and place + 4 < len(self.tokens)
            if not named or self.tokens[place + 4].kind != "name":
                seen[part] = None
            elif seen.get(part, frozenset()) is not None:
                seen[part] = (seen.get(part) or frozenset()) | {self._at(place + 4)}
        return seen

    @cached_property
    def plain(self) -> tuple[str, ...] | None:
        """("states", "input", "a") for ``$states.input.a``, ("v", "a") for ``$v.a``: a
        variable and names only; None for every other expression."""
        if not self.tokens or self.tokens[0].kind != "variable":
            return None
        names = [self.tokens[0].text[1:]]
        for place in range(1, len(self.tokens), 2):
            if self._at(place) != "." or self._kind(place + 1) != "name":
                return None
            names.append(self._at(place + 1))
        if names[0] in ("", "$") or names[0] in BUILTINS:
            return None
        if names[0] == "states" and (len(names) < 2 or names[1] not in _STATES):
            return None
        return tuple(names)

    def _kind(self, place: int) -> str:
        return self.tokens[place].kind if 0 <= place < len(self.tokens) else ""

    @cached_property
    def tame(self) -> bool:
        """Whether it is safe to run inside this process."""
        if len(self.text) > _MAX_TAME_TEXT:
            return False
        roots = stages = growing = itself = nested = deepest = 0
        for place, token in enumerate(self.tokens):
            before, after = self._at(place - 1), self._at(place + 1)
            if token.text in _WILD or token.text in ("function", "λ"):
                return False
            if token.kind == "variable":
                name = token.text[1:]
                if after == "(":
                    if name == "join":
                        growing += 0 if self._short_join(place) else 99
                    elif name not in _LINEAR and name not in _GROWING:
                        return False
                    growing += name in _GROWING
                elif name in BUILTINS and not self._variable_use(place):
                    return False
                itself += token.text == "$"
                roots += token.text != "$" and after != "("
                stages += before == "."
            elif token.text in ("(", "[", "{", "%"):
                grouped = token.text == "{" and _after_operand(self.tokens[:place][-1:])
                stages += before == "." or grouped
            nested += (token.text == "[") - (token.text == "]")
            deepest = max(deepest, nested)
        if stages > 1 or (stages and roots > 1):
            return False
        return (
            growing <= 2 and roots <= _MAX_TAME_ROOTS and itself <= _MAX_TAME_SELF and deepest <= 2
        )

    def _short_join(self, place: int) -> bool:
        """``$join(…, ", ")``: the separator is a short text, written out."""
        depth = 0
        for end in range(place + 1, len(self.tokens)):
            depth += (self._at(end) in ("(", "[", "{")) - (self._at(end) in (")", "]", "}"))
            if depth == 0:
                last = self.tokens[end - 1]
                short = last.kind == "string" and len(last.text) <= 16
                return short and self._at(end - 2) == ","
        return False
