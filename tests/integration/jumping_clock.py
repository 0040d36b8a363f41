"""funcflow's command line on a machine whose wall clock is off by the seconds in a file.

``python -m tests.integration.jumping_clock FILE up …``. The file may change at any time, as clocks
do that are set; monotonic time goes on.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

real = time.time


def main() -> int:
    offset = Path(sys.argv.pop(1))
    # Before anything of funcflow is imported, which then takes it for the clock.
    setattr(time, "time", lambda: real() + float(offset.read_text()))  # noqa: B010
    program = importlib.import_module("funcflow.cli.main")
    return int(program.main(sys.argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main())
