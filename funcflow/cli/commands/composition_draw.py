"""``composition draw``: pictures of definitions and executions."""

from __future__ import annotations

import argparse
from pathlib import Path

from funcflow.cli import base, faults
from funcflow.cli.commands.composition_aliases import add_composition_version
from funcflow.cli.commands.composition_files import TYPES, parsed


class Draw(base.Command):
    """Draw a definition out of a file or from the server, or an execution: as it went or goes.

    An execution shows each state's outcome, time and attempts; --timeline shows it over time.
    """

    example = (
        "funcflow composition draw hello.yaml\n"
        "funcflow composition draw --composition hello --output hello.svg\n"
        "funcflow composition draw --execution 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11 "
        "--timeline --output timeline.svg"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "file",
            nargs="?",
            type=base.existing,
            metavar="FILE",
            help="a definition in JSON or YAML; no server is needed",
        )
        what.add_argument(
            "--composition", metavar="NAME", help="one of the server's, by name or id"
        )
        what.add_argument("--execution", metavar="ID", help="an execution, with how it stands")
        add_composition_version(parser)
        parser.add_argument("--type", choices=TYPES, default=TYPES[0], help="type of FILE")
        parser.add_argument("--timeline", action="store_true", help="the execution over time (SVG)")
        parser.add_argument(
            "--format",
            choices=("mermaid", "svg"),
            help="default: by the ending of --output, else mermaid",
        )
        parser.add_argument("--output", type=Path, metavar="PATH", help="default: stdout")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        picture = self._picture(args)
        if args.output is None:
            self.app.stdout.write(picture)
            return 0
        try:
            args.output.write_text(picture)
        except OSError as exc:
            raise faults.ClientError(f"cannot write {args.output}: {exc.strerror}") from exc
        self.note(f"saved {args.output}")
        return 0

    def _picture(self, args: argparse.Namespace) -> str:
        ending = args.output.suffix.removeprefix(".") if args.output else ""
        form = args.format or ("svg" if ending == "svg" else "mermaid")
        if args.timeline:
            if args.execution is None:
                raise faults.ClientError(
                    "only an execution has a timeline", hint="Name one with --execution."
                )
            return self.client.composition_executions.picture(args.execution, "timeline", "svg")
        if args.execution is not None:
            return self.client.composition_executions.picture(args.execution, "drawing", form)
        if args.composition is not None:
            number = args.composition_version or 0
            return self.client.compositions.definition(args.composition, form, number)
        return self._local(args, form)

    def _local(self, args: argparse.Namespace, form: str) -> str:
        from funcflow.compositions import draw, draw_svg

        definition = parsed(self, args.file, args.type)
        if form == "mermaid":
            return draw.mermaid(definition)
        return draw_svg.svg(definition, title=args.file.stem)
