"""Executions as their own projects may see them, when what they run is another project's.

Used by the API and by the trigger on executions that ended: whoever shows an execution.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from funcflow import models

E = TypeVar("E", bound=models.Execution | models.CompositionExecution)
#: Errors whose causes quote definitions, inputs and names.
_QUOTING = ("States.", "Lambda.", "StepFunctions.")


def seen(execution: E) -> E:
    """The execution without what shows how another project's definition goes about it: the
    inputs and outputs of its steps, and causes that quote it."""
    if execution.hidden:
        execution = dataclasses.replace(execution, input=None, output=None)
    if isinstance(execution, models.CompositionExecution) and execution.borrowed:
        told = cause(execution.error, execution.cause)
        execution = dataclasses.replace(execution, cause=told)
    return execution


def cause(error: str | None, given: str | None) -> str | None:
    """Why another project's definition failed, unless that quotes it."""
    return None if error is not None and error.startswith(_QUOTING) else given
