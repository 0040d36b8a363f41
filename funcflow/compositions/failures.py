"""The failure of a state, as compositions speak of it: an error name and a cause.

Raised by expressions and by the interpreter's own checks; caught by the interpreter,
which lets the state's retriers and catchers look at ``error``.
"""

from __future__ import annotations

PARAMETER_PATH = "States.ParameterPathFailure"
RESULT_PATH = "States.ResultPathMatchFailure"
INTRINSIC = "States.IntrinsicFailure"
QUERY = "States.QueryEvaluationError"
RUNTIME = "States.Runtime"
DATA_LIMIT = "States.DataLimitExceeded"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
TASK_FAILED = "States.TaskFailed"
BRANCH_FAILED = "States.BranchFailed"
NO_CHOICE = "States.NoChoiceMatched"
PERMISSIONS = "States.Permissions"
ITEM_READER = "States.ItemReaderFailed"
RESULT_WRITER = "States.ResultWriterFailed"
TOLERATED = "States.ExceedToleratedFailureThreshold"
ALL = "States.ALL"


class Failure(Exception):
    """A state failed: ``error`` is a name such as ``States.Runtime``, ``cause`` says why.

    ``location`` names the field at fault ("Output/result"), as the EvaluationFailed
    event of a history does; None where no one field is at fault.
    """

    def __init__(self, error: str, cause: str, location: str | None = None) -> None:
        super().__init__(error, cause, location)
        self.error = error
        self.cause = cause
        self.location = location

    def __str__(self) -> str:
        return f"{self.error}: {self.cause}"
