"""One call of advance() at work: what it reads, what it gives out.

Every ``states_*`` module gets a :class:`Step` and a :class:`Frame`. Here are the things
all types of state share: scopes, events, requests, and the way out of a state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from funcflow.compositions import events, failures, payloads
from funcflow.compositions.commands import CancelTask, CancelTimer, Command, Request, StartTimer
from funcflow.compositions.definition import AnyState
from funcflow.compositions.events import HISTORY_LIMIT, Details, Event, Type
from funcflow.compositions.execution import Execution, Frame, Group
from funcflow.compositions.expressions.base import MISSING, Expression, Scope, SeededHooks, Value
from funcflow.compositions.failures import Failure

_ENTERED = {
    name: Type[f"{name}StateEntered"]
    for name in ("Choice", "Fail", "Map", "Parallel", "Pass", "Succeed", "Task", "Wait")
}
_EXITED = {name: Type[f"{name}StateExited"] for name in _ENTERED if name != "Fail"}
#: Types whose threads can be ended from outside.
_ABORTED = {name: Type[f"{name}StateAborted"] for name in ("Map", "Parallel", "Task", "Wait")}
#: Types whose context object counts retries.
_RETRIED = frozenset({"Map", "Parallel", "Task"})


class HistoryFull(Exception):
    """There is room for one event only, the one that ends the execution."""


#: How the cause begins of what should not happen.
INTERNAL: Final = "Internal failure"


def failure_of(error: Exception) -> Failure:
    """Whatever goes wrong is the state's failure, never that of who runs the execution."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, RecursionError):
        return Failure(failures.RUNTIME, "The value is nested too deep")
    return Failure(failures.RUNTIME, f"{INTERNAL} ({type(error).__name__}: {error})")


class Step:
    """Collects the commands and events of one signal; ``now`` in seconds since the epoch."""

    def __init__(self, execution: Execution, now: float) -> None:
        self.execution = execution
        self.now = now
        self.now_text = events.timestamp(now)
        self.hooks = SeededHooks(f"{execution.seed}:{execution.sequence}", now)
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self._bounded = execution.type == "STANDARD"
        self._checked: Value = MISSING
        self._size = 0

    # Events

    def emit(self, previous: int, kind: Type, details: Details | None = None) -> int:
        """Add an event; its id."""
        execution = self.execution
        number = execution.last_event + 1
        if self._bounded and number >= HISTORY_LIMIT and execution.status == "RUNNING":
            raise HistoryFull
        execution.last_event = number
        self.events.append(Event(number, previous, self.now, kind, details))
        return number

    def tell(self, frame: Frame, kind: Type, details: Details | None = None) -> None:
        """Add the next event of a thread."""
        frame.previous = self.emit(frame.previous, kind, details)

    # Requests

    def request(self, frame: Frame | None, make: Callable[[int], Request]) -> int:
        """Give a command that will be answered; its id."""
        execution = self.execution
        execution.last_command = number = execution.last_command + 1
        command = make(number)
        execution.waiting[number] = (command, frame)
        if frame is not None:
            frame.requests.add(number)
        self.commands.append(command)
        return number

    def cancel(self, frame: Frame) -> None:
        """Take back every command the thread waits for."""
        for number in sorted(frame.requests):
            request, _ = self.execution.waiting.pop(number)
            kind = CancelTimer if isinstance(request, StartTimer) else CancelTask
            self.commands.append(kind(number))
        frame.requests.clear()

    def end(self, frame: Frame) -> None:
        """End a thread and all below it, saying so in the history."""
        frame.over = True
        self.cancel(frame)
        if kind := _ABORTED.get(frame.state.type):
            self.tell(frame, kind)
        if frame.group is not None:
            self.end_group(frame.group)

    def end_group(self, group: Group) -> None:
        """End every thread of a Parallel or Map."""
        for index, frame in list(group.frames.items()):
            if frame.over:
                continue
            if group.state.type == "Map":
                details = events.Iteration(group.state.name, index)
                self.tell(frame, Type.MapIterationAborted, details)
            self.end(frame)

    # Scopes

    def context(self, frame: Frame) -> dict[str, Value]:
        """``$$`` as the state of a thread sees it."""
        state: dict[str, Value] = {"Name": frame.state.name, "EnteredTime": frame.entered_time}
        if frame.state.type in _RETRIED:
            state["RetryCount"] = frame.attempt
        context = {**self.execution.context, "State": state}
        if frame.map is not None:
            context["Map"] = frame.map
        if frame.token is not None:
            context["Task"] = {"Token": frame.token}
        return context

    def scope(
        self,
        frame: Frame,
        input: Value,
        result: Value = MISSING,
        error: Value = MISSING,
        context: Mapping[str, Value] | None = None,
    ) -> Scope:
        return Scope(
            input,
            self.context(frame) if context is None else context,
            frame.variables,
            result,
            error,
            self.hooks,
            self.execution.bounds.expressions,
        )

    def effective_input(self, frame: Frame) -> Value:
        """The raw input through InputPath."""
        path = frame.state.input_path
        return frame.input if path is None else path.evaluate(self.scope(frame, frame.input))

    def arguments(self, frame: Frame, effective: Value) -> Value:
        """The effective input through Parameters, or Arguments."""
        template = frame.state.arguments
        return effective if template is None else template.evaluate(self.scope(frame, effective))

    # In and out of states

    def enter(self, frame: Frame) -> None:
        state = frame.state
        frame.entered_time = self.now_text
        frame.attempt, frame.retries = 0, None
        details = events.Entered(state.name, frame.input)
        frame.entered = frame.previous = self.emit(frame.previous, _ENTERED[state.type], details)

    def finish(self, frame: Frame, result: Value) -> None:
        """Leave a state that did its work: filter the result, assign, go on."""
        state = frame.state
        size = frame.size if result is frame.input else self.check(result, state.name)
        if state.language == "JSONPath":
            selected = result
            if state.result_selector is not None:
                selected = state.result_selector.evaluate(self.scope(frame, result))
                size = None
            assigned = self.assigned(frame, state.assign, self.scope, selected)
            if state.discard:
                output = frame.input
            elif state.result_path is None:
                output = selected
            else:
                output = state.result_path.put(frame.input, selected)
                if size is not None:
                    size = self._put_size(frame, size)
            if state.output_path is not None:
                output, size = self.output_path(frame, output), None
        else:
            scope = self.scope(frame, frame.input, result)
            output = result
            if state.output is not None:
                output, size = state.output.evaluate(scope), None
            assigned = self.assign(frame, state.assign, scope)
        self.leave(frame, output, state.next, assigned, size)

    def _put_size(self, frame: Frame, size: int) -> int | None:
        """A bound: what is put into the input adds its names and itself."""
        path = frame.state.result_path
        if frame.size is None or path is None:
            return None
        return frame.size + size + 2 * len(path.text) + 16

    def assigned(
        self,
        frame: Frame,
        template: Expression | None,
        scope: Callable[[Frame, Value], Scope],
        input: Value,
    ) -> Mapping[str, Value] | None:
        """Like :meth:`assign`, for templates that mostly are not there."""
        return None if template is None else self.assign(frame, template, scope(frame, input))

    def output_path(self, frame: Frame, output: Value) -> Value:
        path = frame.state.output_path
        return output if path is None else path.evaluate(self.scope(frame, output))

    def assign(
        self, frame: Frame, template: Expression | None, scope: Scope
    ) -> Mapping[str, Value] | None:
        """The variables to be set when the state is left; they are not yet."""
        if template is None:
            return None
        values: Mapping[str, Value] = template.evaluate(scope)
        bounds = self.execution.bounds
        for name, value in values.items():
            if payloads.size(value) > bounds.payload:
                raise Failure(
                    failures.DATA_LIMIT,
                    f"The variable '{name}' has a size exceeding the maximum number of bytes "
                    "service limit.",
                )
        if len(frame.variables) + len(values) > 40:
            # Fewer cannot reach the limit: each has at most the size of a payload.
            total = sum(payloads.size(v) for v in {**frame.variables, **values}.values())
            if total > bounds.variables:
                raise Failure(failures.DATA_LIMIT, "The variables exceed the service limit.")
        return values

    def leave(
        self,
        frame: Frame,
        output: Value,
        target: str | None,
        assigned: Mapping[str, Value] | None = None,
        size: int | None = None,
    ) -> None:
        """Exit the state and make the thread ready for the next one, or end it.

        ``size`` is what the output has at most, if that is known.
        """
        state = frame.state
        if output is not frame.input:
            frame.size = self.check(output, state.name, size)
        details = events.Exited(state.name, output, assigned or None)
        frame.previous = self.emit(frame.previous, _EXITED[state.type], details)
        if assigned:
            frame.variables = {**frame.variables, **assigned}
        frame.group = None
        frame.token = None
        frame.input = output
        if target is None:
            frame.over = True
        else:
            self.go(frame, frame.machine.states[target])

    def go(self, frame: Frame, state: AnyState) -> None:
        frame.state = state
        frame.entered = 0
        self.execution.ready.append(frame)

    def check(self, value: Any, who: str, most: int | None = None) -> int:
        """The size of a value, which must not exceed the limit.

        ``most`` is a bound known otherwise: writing a value as JSON to measure it costs
        more than most states. The value asked about last is not measured again.
        """
        limit = self.execution.bounds.payload
        if most is not None and most <= limit:
            return most
        if value is not self._checked:
            self._size = payloads.check(value, limit, who)
            self._checked = value
        return self._size
