"""Writes etc/funcflow/funcflow.conf from the options in ``funcflow.conf``.

``python -m tools.genconfig``; ``tests/unit/tools/test_genconfig.py`` fails while the file is
out of date.
"""

from __future__ import annotations

import io
from pathlib import Path

from oslo_config import cfg, generator

SAMPLE = Path(__file__).resolve().parent.parent / "etc/funcflow/funcflow.conf"


def render() -> str:
    """The sample configuration."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "funcflow"], default_config_files=[])
    output = io.StringIO()
    generator.generate(conf, output)
    return output.getvalue()


if __name__ == "__main__":
    SAMPLE.write_text(render())
    print(f"wrote {SAMPLE}")
