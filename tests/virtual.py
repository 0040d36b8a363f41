"""A world in virtual time in which compositions run: no threads, no clock, no waiting.

Functions are Python sources with ``handler(event, context)``; ``time.sleep`` in them takes
virtual time. Used by the conformance and simulation tests.
"""

from __future__ import annotations

import builtins
import heapq
import io
import json
import traceback
import types
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from funcflow.compositions import commands, readers, signals, work, writers
from funcflow.compositions.advance import advance
from funcflow.compositions.commands import Command
from funcflow.compositions.definition import Definition, Machine
from funcflow.compositions.events import Event, timestamp
from funcflow.compositions.execution import Execution
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Pattern
from funcflow.compositions.signals import Signal

START = 1_700_000_000.0


@dataclass(eq=False)
class Run:
    """One execution in the world."""

    execution: Execution
    name: str
    target: str
    log: list[Signal] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    #: Called with the run when it ends.
    ended: Callable[[Run], None] | None = None
    stopped_at: float = 0.0
    #: Signals on their way, by command id.
    cancelled: set[int] = field(default_factory=set)


@dataclass(eq=False)
class World:
    functions: Mapping[str, str] = field(default_factory=dict)
    #: ARN or name -> definition.
    machines: Mapping[str, Definition] = field(default_factory=dict)
    objects: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    now: float = START
    #: Files that ResultWriters left.
    written: dict[str, str] = field(default_factory=dict)
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _modules: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, definition: Definition, input: Any, **options: Any) -> Run:
        """Run one execution to its end, or until nothing is left to happen."""
        run = self.start(definition, input, **options)
        self.finish(run)
        return run

    def finish(self, run: Run) -> None:
        """Let things happen until the execution ended or nothing is left to happen."""
        while self._queue and run.execution.status == "RUNNING":
            self.now, _, happen = heapq.heappop(self._queue)
            happen()

    def start(
        self,
        definition: Definition,
        input: Any,
        *,
        target: str = "arn:aws:states:region:111111111111:stateMachine:machine",
        name: str = "execution",
        machine: Machine | None = None,
        type: str | None = None,
        ended: Callable[[Run], None] | None = None,
        bounds: Any = None,
    ) -> Run:
        execution = Execution(definition, machine, type)  # type: ignore[arg-type]
        if bounds is not None:
            execution.bounds = bounds
        run = Run(execution, name, target, ended=ended)
        context = {
            "Execution": {
                "Id": self._id(run),
                "Name": name,
                "RoleArn": "role",
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": target, "Name": target.split(":")[-1]},
        }
        started = signals.Started(
            time=self.now, input=input, context=context, seed=f"{name}:{len(name)}"
        )
        self.later(0, lambda: self.send(run, started))
        return run

    def send(self, run: Run, signal: Signal) -> None:
        """Give a signal to an execution and do what it then asks."""
        if getattr(signal, "id", None) in run.cancelled:
            return
        run.log.append(signal)
        wanted, happened = advance(run.execution, signal)
        run.history += happened
        run.commands += wanted
        for command in wanted:
            self.do(run, command)

    def answered(self, request: commands.RunTask) -> Signal:
        """The answer to a task outside of any execution."""
        assert isinstance(request.work, work.CallFunction)
        kind, fields, _ = self._called(request.work)
        return kind(time=self.now, id=request.id, **fields)  # type: ignore[call-arg]

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, happen))

    def answer(
        self, run: Run, seconds: float, signal: type[Signal], number: int, **fields: Any
    ) -> None:
        self.later(
            seconds,
            lambda: self.send(run, signal(time=self.now, id=number, **fields)),  # type: ignore[call-arg]
        )

    # Commands

    def do(self, run: Run, command: Command) -> None:
        match command:
            case commands.RunTask():
                self.run_task(run, command)
            case commands.StartTimer():
                seconds = max(0.0, command.due - self.now)
                self.answer(run, seconds, signals.TimerFired, command.id)
            case commands.CancelTask() | commands.CancelTimer():
                run.cancelled.add(command.id)
            case commands.RunChild():
                self._run_child(run, command)
            case commands.ReadItems():
                self._read(run, command)
            case commands.WriteResults():
                self._write(run, command)
            case commands.Continue():
                self.later(0, lambda: self.send(run, signals.Continued(time=self.now)))
            case commands.Finish():
                run.stopped_at = self.now
                if run.ended is not None:
                    run.ended(run)

    def run_task(self, run: Run, command: commands.RunTask) -> None:
        match command.work:
            case work.CallFunction():
                self._call(run, command, command.work)
            case work.StartComposition():
                self._start_composition(run, command, command.work)
            case other:
                self.answer(
                    run,
                    0,
                    signals.TaskFailed,
                    command.id,
                    error=f"{type(other).__name__}.Unsupported",
                    cause="not in this world",
                )

    def _call(self, run: Run, command: commands.RunTask, call: work.CallFunction) -> None:
        kind, fields, took = self._called(call)
        if command.timeout is not None and took >= command.timeout:
            self.answer(run, command.timeout, signals.TaskTimedOut, command.id)
        elif command.resource.pattern is Pattern.TOKEN:
            submitted = kind is signals.TaskSucceeded
            self.answer(
                run, took, signals.TaskSubmitted if submitted else kind, command.id, **fields
            )
            self._await_token(run, command, took)
        else:
            self.answer(run, took, kind, command.id, **fields)

    def _called(self, call: work.CallFunction) -> tuple[type[Signal], dict[str, Any], float]:
        """Run a function: what it answers, and how many seconds it took."""
        took = 0.0

        def sleep(seconds: float) -> None:
            nonlocal took
            took += seconds

        try:
            output = self._function(call.name, sleep)(call.payload, None)
            json.dumps(output)
            fields: dict[str, Any] = {"output": output}
            kind: type[Signal] = signals.TaskSucceeded
        except Exception as error:
            kind, fields = signals.TaskFailed, self._error(call, error)
        return kind, fields, took

    def _await_token(self, run: Run, command: commands.RunTask, took: float) -> None:
        if command.heartbeat is not None:
            self.answer(
                run, took + command.heartbeat, signals.TaskTimedOut, command.id, heartbeat=True
            )
        elif command.timeout is not None:
            self.answer(run, command.timeout, signals.TaskTimedOut, command.id)

    def _function(self, name: str, sleep: Callable[[float], None]) -> Callable[[Any, Any], Any]:
        if name not in self.functions:
            raise LookupError(name)
        if name not in self._modules:
            module: dict[str, Any] = {"__name__": "handler", "__builtins__": self._builtins()}
            exec(compile(self.functions[name], "/var/task/handler.py", "exec"), module)
            self._modules[name] = module
        self._sleep = sleep
        handler: Callable[[Any, Any], Any] = self._modules[name]["handler"]
        return handler

    def _builtins(self) -> dict[str, Any]:
        clock = types.SimpleNamespace(
            sleep=lambda seconds: self._sleep(seconds), time=lambda: self.now
        )

        def imported(name: str, *rest: Any) -> Any:
            return clock if name == "time" else __import__(name, *rest)

        return {**vars(builtins), "__import__": imported}

    def _error(self, call: work.CallFunction, error: Exception) -> dict[str, Any]:
        if isinstance(error, LookupError) and error.args == (call.name,):
            return {
                "error": "Lambda.ResourceNotFoundException",
                "cause": "Function not found: arn:aws:lambda:us-east-1:111111111111:function:"
                f"{call.name}:$LATEST (Service: AWSLambda; Status Code: 404; Error Code: "
                "ResourceNotFoundException; Request ID: 1; Proxy: null)",
                "refused": True,
            }
        cause = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "requestId": str(uuid.UUID(int=self._count, version=4)),
            "stackTrace": traceback.format_tb(error.__traceback__)[1:],
        }
        return {"error": type(error).__name__, "cause": json.dumps(cause)}

    def _start_composition(
        self, run: Run, command: commands.RunTask, wanted: work.StartComposition
    ) -> None:
        definition = self.machines.get(wanted.target)
        if definition is None:
            cause = (
                f"State Machine Does Not Exist: '{wanted.target}' (Service: AWSStepFunctions; "
                "Status Code: 400; Error Code: StateMachineDoesNotExist; Request ID: 1; "
                "Proxy: null)"
            )
            error = "StepFunctions.StateMachineDoesNotExistException"
            self.answer(run, 0, signals.TaskFailed, command.id, error=error, cause=cause)
            return
        started_at = self.now

        def ended(child: Run) -> None:
            execution = child.execution
            output = work.ended(
                self._id(child),
                wanted.target,
                child.name,
                execution.status,
                timestamp(started_at),
                timestamp(self.now),
                wait=wanted.wait,
                input=wanted.input,
                output=execution.output,
                error=execution.error,
                cause=execution.cause,
            )
            if execution.status == "SUCCEEDED":
                self.answer(run, 0, signals.TaskSucceeded, command.id, output=output)
            else:
                self.answer(
                    run,
                    0,
                    signals.TaskFailed,
                    command.id,
                    error="States.TaskFailed",
                    cause=json.dumps(output),
                )

        waits = wanted.wait in (Pattern.SYNC, Pattern.SYNC2)
        name = wanted.name or f"{run.name}-{command.id}"
        child = self.start(
            definition,
            wanted.input,
            target=wanted.target,
            name=name,
            ended=ended if waits else None,
        )
        kind: type[Signal] = signals.TaskSubmitted if waits else signals.TaskSucceeded
        output = work.started(self._id(child), timestamp(self.now))
        self.answer(run, 0, kind, command.id, output=output)

    def _run_child(self, run: Run, command: commands.RunChild) -> None:
        state = run.execution.definition.states[command.state]

        def ended(child: Run) -> None:
            execution = child.execution
            if execution.status == "SUCCEEDED":
                self.answer(run, 0, signals.TaskSucceeded, command.id, output=execution.output)
            else:
                self.answer(
                    run,
                    0,
                    signals.TaskFailed,
                    command.id,
                    error=execution.error,
                    cause=execution.cause,
                )

        self.start(
            run.execution.definition,
            command.input,
            target=f"{run.target}/{command.state}",
            name=f"{run.name}-{command.index}",
            machine=state.processor,  # type: ignore[union-attr]
            type=command.type,
            ended=ended,
        )

    def _read(self, run: Run, command: commands.ReadItems) -> None:
        reader, arguments = command.reader, command.arguments
        try:
            if reader.action.startswith("s3:listObjects"):
                items = self._listing(arguments, command.max_items)
            else:
                file = io.BytesIO(self.objects[arguments["Bucket"], arguments["Key"]])
                items = list(islice(readers.items(reader, file), command.max_items))
        except Failure as failure:
            self.answer(
                run,
                0,
                signals.TaskFailed,
                command.id,
                error=failure.error,
                cause=failure.cause,
            )
            return
        self.answer(run, 0, signals.TaskSucceeded, command.id, output=items)

    def _listing(self, arguments: Mapping[str, Any], most: int | None) -> list[Any]:
        found = [
            {
                "Etag": f'"{hash(body)}"',
                "Key": key,
                "LastModified": int(START),
                "Size": len(body),
                "StorageClass": "STANDARD",
            }
            for (bucket, key), body in sorted(self.objects.items())
            if bucket == arguments["Bucket"] and key.startswith(arguments.get("Prefix") or "")
        ]
        return list(islice(readers.listing(found), most))

    def _write(self, run: Run, command: commands.WriteResults) -> None:
        if not command.writer.action:
            output: Any = writers.inline(command.writer, command.results)
        else:
            bucket = command.arguments["Bucket"]
            folder = writers.folder(command.map_run, command.arguments.get("Prefix", ""))
            listed = []
            for file in writers.files(command.writer, command.results):
                self.written[f"{bucket}/{folder}/{file.name}"] = file.content.decode()
                listed.append((file.status, file.name, len(file.content)))
            manifest = writers.manifest(command.map_run, bucket, folder, listed)
            self.written[f"{bucket}/{folder}/manifest.json"] = manifest.decode()
            output = writers.details(command.map_run, bucket, folder)
        self.answer(run, 0, signals.TaskSucceeded, command.id, output=output)

    def _id(self, run: Run) -> str:
        return f"{run.target.replace(':stateMachine:', ':execution:')}:{run.name}"
