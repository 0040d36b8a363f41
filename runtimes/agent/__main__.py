"""``python3 -I /path/to/agent --language python3 -- COMMAND…``: see :mod:`funcflow_agent.main`."""

from __future__ import annotations

from funcflow_agent.main import main

main()
