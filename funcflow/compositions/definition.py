"""A composition, compiled: what the interpreter runs.

Built once by :mod:`funcflow.compositions.compile` out of valid data and then shared by all
executions: frozen, every path and expression compiled. ``None`` in a place of an expression
means "the default", which costs the interpreter nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from funcflow.compositions.expressions.base import Expression, Reference
    from funcflow.compositions.resources import Resource

Language = Literal["JSONPath", "JSONata", "YAQL"]
Type = Literal["STANDARD", "EXPRESS"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A field that is a literal, or a path or expression evaluated when the state runs."""

    #: As written: "TimeoutSeconds" or "TimeoutSecondsPath".
    field: str
    #: The value, if ``expression`` is None.
    literal: Any = None
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Retrier:
    errors: tuple[str, ...]
    #: Seconds before the first retry.
    interval: int = 1
    max_attempts: int = 3
    #: The delay is multiplied by it with each retry.
    backoff: float = 2.0
    #: Seconds, the longest delay; None: no limit.
    max_delay: int | None = None
    #: JitterStrategy FULL: a random delay between 0 and the computed one.
    jitter: bool = False


@dataclass(frozen=True, slots=True)
class Catcher:
    errors: tuple[str, ...]
    next: str
    #: JSONPath: where {Error, Cause} goes in the raw input; None: replaces it ("$").
    result_path: Reference | None = None
    #: JSONPath ``"ResultPath": null``: the error output is thrown away.
    discard: bool = False
    #: JSONata, YAQL.
    output: Expression | None = None
    #: Gives an object: name of variable -> value.
    assign: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Fields that several types share; those a type does not have stay at the default.

    JSONPath: ``input_path`` → ``arguments`` (Parameters) → work → ``result_selector`` →
    ``result_path`` → ``output_path``. JSONata, YAQL: ``arguments`` → work → ``output``.
    """

    type: ClassVar[str]
    name: str
    language: Language = "JSONPath"
    comment: str = ""
    #: None: the state ends its machine (End, Succeed, Fail; Choice has its own).
    next: str | None = None
    #: None: "$". A null path is an expression that gives {}.
    input_path: Expression | None = None
    output_path: Expression | None = None
    #: Parameters or Arguments; None: the input as it is.
    arguments: Expression | None = None
    result_selector: Expression | None = None
    #: None: "$", the result replaces the input.
    result_path: Reference | None = None
    #: ``"ResultPath": null``: the result is thrown away, the raw input kept.
    discard: bool = False
    #: JSONata, YAQL; None: the result (or, without one, the input).
    output: Expression | None = None
    #: Gives an object: name of variable -> value.
    assign: Expression | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    #: The state as written.
    source: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(State):
    type: ClassVar[str] = "Task"
    resource: Resource
    #: Seconds; None: 99999999.
    timeout: Setting | None = None
    heartbeat: Setting | None = None
    #: Gives an object {RoleArn}; funcflow records it and does not use it.
    credentials: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    type: ClassVar[str] = "Pass"
    #: JSONPath ``Result``, if ``has_result``.
    result: Any = None
    has_result: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """One of ``seconds`` (number) and ``timestamp`` (RFC 3339 text) is set."""

    type: ClassVar[str] = "Wait"
    seconds: Setting | None = None
    timestamp: Setting | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``{"Variable": "$.a", "NumericEqualsPath": "$.b"}``."""

    #: Path or variable.
    variable: Expression
    #: Without "Path": "NumericEquals".
    operator: str
    #: The right side, if ``path`` is None. Is… operators: True or False.
    literal: Any = None
    path: Expression | None = None


@dataclass(frozen=True, slots=True)
class And:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Or:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Not:
    test: Test


#: JSONPath: a tree of comparisons. JSONata, YAQL: the ``Condition``, true or false.
Test = Comparison | And | Or | Not | Setting


@dataclass(frozen=True, slots=True)
class Rule:
    test: Test
    next: str
    #: JSONata, YAQL; None: the state's own.
    output: Expression | None = None
    #: None: no assignment (the state's own is for ``default`` alone).
    assign: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    """``assign`` and ``output`` of the state hold when ``default`` is taken."""

    type: ClassVar[str] = "Choice"
    rules: tuple[Rule, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    type: ClassVar[str] = "Succeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    type: ClassVar[str] = "Fail"
    error: Setting | None = None
    cause: Setting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(State):
    type: ClassVar[str] = "Parallel"
    branches: tuple[Machine, ...]


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Distributed Map: where the items come from."""

    #: "s3:getObject" or "s3:listObjectsV2".
    action: str
    #: {Bucket, Key, Prefix}
    arguments: Expression | None = None
    #: CSV, JSON, JSONL, MANIFEST, PARQUET; "" for a listing.
    input_type: str = ""
    #: FIRST_ROW or GIVEN.
    csv_header_location: str = "FIRST_ROW"
    csv_headers: tuple[str, ...] = ()
    #: COMMA, PIPE, SEMICOLON, SPACE, TAB.
    csv_delimiter: str = "COMMA"
    max_items: Setting | None = None
    #: JSON pointer to the array within the document; "" is the document.
    items_pointer: str = ""
    #: ATHENA_DATA or S3_INVENTORY.
    manifest_type: str = ""
    #: NONE or LOAD_AND_FLATTEN (listing).
    transformation: str = "NONE"


@dataclass(frozen=True, slots=True)
class ItemBatcher:
    max_items: Setting | None = None
    #: Bytes of the child's input.
    max_bytes: Setting | None = None
    batch_input: Expression | None = None


@dataclass(frozen=True, slots=True)
class ResultWriter:
    #: "s3:putObject"; "" when only the output's form is asked for.
    action: str = ""
    #: {Bucket, Prefix}
    arguments: Expression | None = None
    #: NONE, COMPACT or FLATTEN.
    transformation: str = "NONE"
    #: JSON or JSONL.
    output_type: str = "JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(State):
    """``arguments`` is unused: the per-item template is ``item_selector``."""

    type: ClassVar[str] = "Map"
    processor: Machine
    #: ItemsPath, or Items (an array or object with or without expressions); None: the input.
    items: Setting | None = None
    #: ItemSelector, or Parameters by its old name.
    item_selector: Expression | None = None
    distributed: bool = False
    #: Distributed: type of the child executions.
    execution_type: Type = "STANDARD"
    #: None or 0: no limit.
    max_concurrency: Setting | None = None
    tolerated_failure_count: Setting | None = None
    #: 0 … 100
    tolerated_failure_percentage: Setting | None = None
    label: str = ""
    reader: ItemReader | None = None
    batcher: ItemBatcher | None = None
    writer: ResultWriter | None = None


AnyState = Task | Pass | Wait | Choice | Succeed | Fail | Parallel | Map


@dataclass(frozen=True, slots=True)
class Machine:
    """The top, a branch of a Parallel, or the processor of a Map."""

    start_at: str
    states: Mapping[str, AnyState]
    comment: str = ""
    language: Language = "JSONPath"
    #: Seconds of the whole execution; only at the top.
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    machine: Machine
    type: Type = "STANDARD"
    #: Every state of every nested machine; names are unique in the whole.
    states: Mapping[str, AnyState] = field(default_factory=dict, repr=False)
    #: Name of state -> variables it reads, in order of first use; only states that read any.
    variable_references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
