"""Random compositions: valid, ending, and touching every type of state."""

from __future__ import annotations

import random
from typing import Any

Definition = dict[str, Any]

ERRORS = ("Boom", "States.TaskFailed", "States.ALL", "States.Timeout", "Other")


class Maker:
    """Makes definitions out of a seed; names are unique in each."""

    def __init__(self, seed: int, *, calm: bool = False, outside: bool = False) -> None:
        self._random = random.Random(seed)
        self._count = 0
        #: No Fail states: whatever the order of answers, the output is the same.
        self._calm = calm
        #: Also tasks that others answer, and an object store.
        self._outside = outside

    def definition(self) -> Definition:
        machine = self.machine(depth=2)
        if self._random.random() < 0.3:
            machine["TimeoutSeconds"] = 10_000
        return machine

    def machine(self, depth: int) -> Definition:
        names = [self._name() for _ in range(self._random.randint(1, 4))]
        states: dict[str, Any] = {}
        for place, name in enumerate(names):
            after = names[place + 1] if place + 1 < len(names) else None
            states |= self._state(name, after, depth)
        return {"StartAt": names[0], "States": states}

    def _name(self) -> str:
        self._count += 1
        return f"S{self._count}"

    def _state(self, name: str, after: str | None, depth: int) -> dict[str, Any]:
        kinds = ["Pass", "Wait", "Task", "Task", "Task", "Choice", "Assign", "Jsonata"]
        if self._outside:
            kinds += ["Token", "Started"]
        if depth:
            kinds += ["Parallel", "Map", "Map", "Distributed"]
        kind = self._random.choice(kinds)
        made: dict[str, Any] = getattr(self, f"_{kind.lower()}")(depth)
        extra: dict[str, Any] = made.pop("extra", {})
        end = {"End": True} if after is None else {"Next": after}
        if kind == "Choice":
            return self._chosen(name, after)
        if "Type" in made and made["Type"] in ("Task", "Parallel", "Map") and not self._calm:
            extra |= self._rules(made, after)
        return {name: made | end, **extra}

    def _rules(self, state: dict[str, Any], after: str | None) -> dict[str, Any]:
        """Add retriers and catchers; the states they lead to."""
        if self._random.random() < 0.4:
            state["Retry"] = [
                {
                    "ErrorEquals": [self._random.choice(("Boom", "States.TaskFailed"))],
                    "MaxAttempts": self._random.randint(0, 2),
                    "IntervalSeconds": self._random.randint(1, 3),
                    "JitterStrategy": self._random.choice(("NONE", "FULL")),
                }
            ]
        if self._random.random() < 0.4:
            name = self._name()
            kept = {"ResultPath": "$.error"}
            if "QueryLanguage" in state:
                kept = {"Output": "{% $states.input %}"}
            errors = [self._random.choice(ERRORS)]
            state["Catch"] = [{"ErrorEquals": errors, "Next": name, **kept}]
            ends = {"End": True} if after is None else {"Next": after}
            return {name: {"Type": "Pass", **ends}}
        return {}

    def _chosen(self, name: str, after: str | None) -> dict[str, Any]:
        one, two = self._name(), self._name()
        less = {"n.$": "States.MathAdd($.n, -1)", "items": [2, 3]}
        ends = {"End": True} if after is None else {"Next": after}
        last: dict[str, Any] = {"Type": "Pass", **ends}
        if not self._calm and self._random.random() < 0.3:
            last = {"Type": "Fail", "Error": "Boom", "Cause": "asked for"}
        return {
            name: {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericGreaterThan": 3, "Next": one}],
                "Default": two,
            },
            one: {"Type": "Pass", "Parameters": less, **ends},
            two: last,
        }

    def _choice(self, depth: int) -> Definition:
        return {}

    def _pass(self, depth: int) -> Definition:
        return {"Type": "Pass", "Result": self._random.randint(0, 9), "ResultPath": "$.n"}

    def _assign(self, depth: int) -> Definition:
        return {"Type": "Pass", "Assign": {self._name().lower(): {"was.$": "$.n"}}}

    def _jsonata(self, depth: int) -> Definition:
        more = "$merge([$states.input, {'n': $states.input.n + 1}])"
        state: Definition = {"QueryLanguage": "JSONata", "Output": f"{{% {more} %}}"}
        if self._random.random() < 0.5:
            return state | {"Type": "Pass", "Assign": {self._name().lower(): "{% $millis() %}"}}
        return state | {"Type": "Task", "Resource": "work", "Arguments": "{% $states.input.n %}"}

    def _wait(self, depth: int) -> Definition:
        return {"Type": "Wait", "Seconds": self._random.randint(0, 50)}

    def _task(self, depth: int) -> Definition:
        state: Definition = {"Type": "Task", "Resource": "work", "ResultPath": "$.n"}
        if self._random.random() < 0.3:
            state["TimeoutSeconds"] = 30
        return state

    def _token(self, depth: int) -> Definition:
        state: Definition = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
            "ResultPath": "$.n",
        }
        if self._random.random() < 0.5:
            state |= {"HeartbeatSeconds": 20, "TimeoutSeconds": 60}
        return state

    def _started(self, depth: int) -> Definition:
        wait = self._random.choice((".sync", ".sync:2"))
        return {
            "Type": "Task",
            "Resource": f"arn:aws:states:::states:startExecution{wait}",
            "Parameters": {"StateMachineArn": "other", "Input": {"n.$": "$.n"}},
            "ResultPath": "$.n",
        }

    def _parallel(self, depth: int) -> Definition:
        branches = [self.machine(depth - 1) for _ in range(self._random.randint(1, 3))]
        return {"Type": "Parallel", "Branches": branches, "ResultPath": "$.all"}

    def _map(self, depth: int) -> Definition:
        return {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemSelector": {"n.$": "$$.Map.Item.Value", "items": [1, 2]},
            "MaxConcurrency": self._random.randint(0, 3),
            "ItemProcessor": self.machine(depth - 1),
            "ResultPath": "$.mapped",
        }

    def _distributed(self, depth: int) -> Definition:
        processor = self.machine(0)
        processor["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        state = self._map(depth) | {"ItemProcessor": processor}
        if self._outside:
            self._with_objects(state, processor)
        if not self._calm and self._random.random() < 0.5:
            tolerated = self._random.choice(("ToleratedFailureCount", "ToleratedFailurePercentage"))
            state[tolerated] = 1
        return state

    def _with_objects(self, state: Definition, processor: Definition) -> None:
        """Items read from an object, results written to one, items in batches."""
        bucket = {"Bucket": "bucket", "Key": "key"}
        if self._random.random() < 0.3:
            del state["ItemsPath"]
            state["ItemReader"] = {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": bucket,
            }
            state["ItemSelector"] = {"n.$": "$$.Map.Item.Value.n", "items": [1, 2]}
        if self._random.random() < 0.3:
            state["ResultWriter"] = {
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "bucket", "Prefix": "results"},
            }
        if self._random.random() < 0.3:
            state["ItemBatcher"] = {"MaxItemsPerBatch": 2}
            name = self._name()
            shape = {"Type": "Pass", "Result": {"n": 5, "items": [1]}, "Next": processor["StartAt"]}
            processor |= {"StartAt": name, "States": {name: shape, **processor["States"]}}
