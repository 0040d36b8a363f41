"""Which fields a state may have, by its type and its query language.

Read by :mod:`funcflow.compositions.validate.states`. ``PATH`` fields belong to JSONPath,
``QUERY`` fields to JSONata and YAQL, ``BOTH`` to all three.
"""

from __future__ import annotations

from funcflow.compositions.definition import Language

TYPES = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")

_ANY = {"Type", "Comment", "QueryLanguage"}
_STEP = _ANY | {"Next", "End", "Assign"}
_CAREFUL = {"Retry", "Catch"}
_IO = {"InputPath", "OutputPath"}
_RESULT = {"ResultPath", "ResultSelector"}
_MAP = {"ItemProcessor", "Iterator", "ItemSelector", "MaxConcurrency", "Label", "ItemReader"}
_MAP |= {"ItemBatcher", "ResultWriter", "ToleratedFailureCount", "ToleratedFailurePercentage"}
_TIMES = {"TimeoutSeconds", "HeartbeatSeconds"}

BOTH: dict[str, set[str]] = {
    "Task": _STEP | _CAREFUL | _TIMES | {"Resource", "Credentials"},
    "Pass": _STEP,
    "Choice": _ANY | {"Choices", "Default", "Assign"},
    "Wait": _STEP | {"Seconds", "Timestamp"},
    "Succeed": _ANY,
    "Fail": _ANY | {"Error", "Cause"},
    "Parallel": _STEP | _CAREFUL | {"Branches"},
    "Map": _STEP | _CAREFUL | _MAP,
}

PATH: dict[str, set[str]] = {
    "Task": _IO | _RESULT | {"Parameters", "TimeoutSecondsPath", "HeartbeatSecondsPath"},
    "Pass": _IO | {"Parameters", "Result", "ResultPath"},
    "Choice": _IO,
    "Wait": _IO | {"SecondsPath", "TimestampPath"},
    "Succeed": _IO,
    "Fail": {"ErrorPath", "CausePath"},
    "Parallel": _IO | _RESULT | {"Parameters"},
    "Map": _IO
    | _RESULT
    | {"Parameters", "ItemsPath", "MaxConcurrencyPath"}
    | {"ToleratedFailureCountPath", "ToleratedFailurePercentagePath"},
}

QUERY: dict[str, set[str]] = {
    "Task": {"Arguments", "Output"},
    "Pass": {"Output"},
    "Choice": {"Output"},
    "Wait": {"Output"},
    "Succeed": {"Output"},
    "Fail": set(),
    "Parallel": {"Arguments", "Output"},
    "Map": {"Items", "Output"},
}

#: JSONPath field -> what says the same in JSONata and YAQL.
_INSTEAD = {
    "InputPath": "Arguments or Output",
    "Parameters": "Arguments (Map: ItemSelector)",
    "ResultSelector": "Output",
    "ResultPath": "Output",
    "OutputPath": "Output",
    "Result": "Output",
    "ItemsPath": "Items",
}


def allowed(type_: str, language: Language) -> set[str]:
    return BOTH[type_] | (PATH if language == "JSONPath" else QUERY)[type_]


def hints(type_: str, language: Language) -> dict[str, str]:
    """For each field of the other query languages, what to write here."""
    if language == "JSONPath":
        hint = 'It needs "QueryLanguage": "JSONata" or "YAQL".'
        return dict.fromkeys(QUERY[type_], hint)
    return {
        name: f"It belongs to JSONPath; in {language} use "
        + (_INSTEAD.get(name) or f"{name.removesuffix('Path')} with an expression")
        + "."
        for name in PATH[type_]
    }
