"""Writes the samples in etc/funcflow: funcflow.conf from the options in ``funcflow.conf``, and
policy.yaml from the rules in ``funcflow.policies``.

``python -m tools.genconfig``; ``tests/unit/tools/test_genconfig.py`` fails while a file is
out of date.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from oslo_config import cfg, generator
from oslo_policy import generator as policy_generator

ETC = Path(__file__).resolve().parent.parent / "etc/funcflow"
SAMPLE = ETC / "funcflow.conf"
POLICY = ETC / "policy.yaml"


def render() -> str:
    """The sample configuration."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "funcflow"], default_config_files=[])
    output = io.StringIO()
    generator.generate(conf, output)
    return output.getvalue()


def render_policy() -> str:
    """The sample policy file: every rule with its default, as comments."""
    conf = cfg.ConfigOpts()
    generator_options = ["--namespace", "funcflow"]
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        policy_generator.generate_sample([*generator_options, "--output-file", file.name], conf)
        return Path(file.name).read_text()


if __name__ == "__main__":
    for path, text in ((SAMPLE, render()), (POLICY, render_policy())):
        path.write_text(text)
        print(f"wrote {path}")
