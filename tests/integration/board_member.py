"""A member of a board in a process of its own, told by its standard input what to do.

    python -m tests.integration.board_member '{"jobboard": {…}, "default": {…}}'

Commands, one a line, with one line of JSON as the answer: ``claim``, ``holds``, ``consume``,
``release``, ``sessions``. ``EOF`` stops it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from funcflow import conf as funcflow_conf
from funcflow import errors, plugins
from funcflow.jobboards import base


class Sessions(base.Listener):
    def __init__(self) -> None:
        self.seen: list[bool] = []

    def on_session(self, alive: bool) -> None:
        self.seen.append(alive)


def main() -> None:
    conf = funcflow_conf.load(**json.loads(sys.argv[1]))
    listener = Sessions()
    board = plugins.load("funcflow.jobboards", conf.jobboard.driver)(conf)
    board.start(listener, serve=True)
    board.join(base.Member(f"process-{time.time_ns()}"))
    claims: list[base.Claim] = []

    def answer(said: Any) -> None:
        print(json.dumps(said), flush=True)

    answer("ready")
    for line in sys.stdin:
        command = line.strip()
        if command == "claim":
            won = board.claim(board.waiting(range(board.shards)))
            claims += won
            answer([(claim.ticket.execution_id, claim.epoch) for claim in won])
        elif command == "holds":
            answer([board.holds(claim) for claim in claims])
        elif command == "sessions":
            answer(listener.seen)
        else:
            try:
                getattr(board, command)(claims)
                answer("done")
            except errors.Unavailable:
                answer("unavailable")
    board.stop()


if __name__ == "__main__":
    main()
