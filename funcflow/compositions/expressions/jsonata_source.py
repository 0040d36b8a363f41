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
from funcflow.compositions.expressions.jsonata_names import BUILTINS, GROWING, LINEAR, SCALAR

MAX_LENGTH = 64 * 1024
#: Tokens: bounds how deep the library's parser and evaluator recurse.
MAX_TOKENS = 5000

_TOKEN = re.compile(
    r"(?P<space>[ \t\n\r\v]+)|(?P<comment>/\*.*?\*/)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<quoted>`[^`]*`)"
    r"|(?P<variable>\$\$|\$\w*)|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)|(?P<operator>\.\.|:=|~>|!=|<=|>=|\*\*|\?:|\?\?|.)",
    re.S,
)
_OPERAND = frozenset({"string", "quoted", "variable", "number", "name", "regex"})
_WORDS = frozenset({"and", "or", "in"})
#: The operators that tame expressions are made of.
_OPERATORS = frozenset([*".[]{}(),;:?+-*/%=<>&", "!=", "<=", ">="])
#: Patterns whose end the library might see elsewhere.
_DOUBTFUL = re.compile(r"[\"'`]|\\[\\/()\[\]{}]")

_WILD = frozenset({":=", "..", "~>", "**", "@", "#", "^", "function", "λ"})
_STATES = frozenset({"input", "context", "result", "errorOutput"})

_MAX_TAME_TEXT = 2000
_MAX_TAME_ROOTS = 16
_MAX_TAME_SELF = 16


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    #: Nothing, not even a blank, stands between it and the token before.
    glued: bool = False


def tokens_of(text: str) -> list[Token]:
    """The tokens without blanks and comments; what is malformed is left to the parser."""
    if len(text) > MAX_LENGTH:
        raise Malformed(f"An expression has at most {MAX_LENGTH} characters.")
    tokens: list[Token] = []
    offset = last = 0
    while match := _TOKEN.match(text, offset):
        kind, end = match.lastgroup or "operator", match.end()
        if match[0] == "/" and not _after_operand(tokens):
            kind, end = "regex", _end_of_regex(text, offset)
        if kind not in ("space", "comment"):
            tokens.append(Token(kind, text[offset:end], glued=offset == last))
            last = end
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
        if any(token.text in _WILD for token in self.tokens) or not self._certain():
            return False
        roots = stages = growing = itself = 0
        for place, token in enumerate(self.tokens):
            before, after = self._at(place - 1), self._at(place + 1)
            if token.kind == "variable":
                name = token.text[1:]
                if after == "(":
                    if not self._linear(name, place):
                        return False
                    growing += name in GROWING
                elif name in BUILTINS and not self._variable_use(place):
                    return False
                itself += token.text == "$"
                roots += token.text != "$" and after != "("
                stages += before == "."
            elif token.text in ("(", "[", "{", "%"):
                stages += before == "." or (token.text == "{" and self._follows_operand(place))
        if stages > 1 or (stages and roots > 1):
            return False
        few = growing <= 2 and roots <= _MAX_TAME_ROOTS and itself <= _MAX_TAME_SELF
        return few and self._quick_predicates()

    def _certain(self) -> bool:
        """Whether the library surely reads these tokens too. It takes more characters for
        parts of a name, and ends patterns by rules of its own; where code could pass for a
        text or a pattern, the expression is not tame."""
        for place, token in enumerate(self.tokens):
            before = self.tokens[place - 1] if place else None
            if token.kind == "operator":
                if token.text not in _OPERATORS:
                    return False
                continue
            if token.kind == "regex" and _DOUBTFUL.search(token.text):
                return False
            if before is None or before.kind == "operator":
                continue
            # Two operands in a row: fine only around a word such as "and", with blanks.
            if token.glued or token.kind == "regex":
                return False
            if token.text not in _WORDS and before.text not in _WORDS:
                return False
        return True

    def _linear(self, name: str, place: int) -> bool:
        if name == "join":
            return self._short_join(place)
        return name in LINEAR or name in GROWING

    def _follows_operand(self, place: int) -> bool:
        return _after_operand(self.tokens[max(place - 1, 0) : place])

    def _calls_at(self, place: int) -> bool:
        return self._kind(place) == "variable" and self._at(place + 1) == "("

    def _quick_predicates(self) -> bool:
        """Whether what stands in ``[…]``, done for each item, is done quickly: no second
        such test, and no function that makes an array."""
        opened: list[bool] = []
        for place, token in enumerate(self.tokens):
            if token.kind == "operator" and token.text == "[":
                predicate = self._follows_operand(place)
                if any(opened) and (predicate or opened[-1] is not True):
                    return False
                opened.append(predicate)
            elif token.kind == "operator" and token.text == "]":
                if opened:
                    opened.pop()
            elif any(opened) and self._calls_at(place) and token.text[1:] not in SCALAR:
                return False
        return True

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
