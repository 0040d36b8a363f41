"""``complete``: the shell completes commands and options."""

from __future__ import annotations

import argparse

from funcflow.cli import base, completion


class Complete(base.Command):
    """Print a completion script for a shell to read."""

    example = (
        "source <(funcflow complete bash)\n"
        "funcflow complete zsh > ~/.zfunc/_funcflow\n"
        "funcflow complete fish > ~/.config/fish/completions/funcflow.fish"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("shell", choices=sorted(completion.SHELLS), nargs="?", default="bash")
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        self.app.stdout.write(completion.script(args.shell, self._words()))

    def _words(self) -> dict[str, list[str]]:
        """What may follow each beginning of a command line: ``{"function": ["list", …]}``."""
        words: dict[str, set[str]] = {"": _options(self.app.parser)}
        for name, entry in self.app.command_manager:
            parts = name.split()
            for depth, part in enumerate(parts):
                words.setdefault(" ".join(parts[:depth]), set()).add(part)
            command = entry.load()(self.app, None)
            parser = command.get_parser(name)
            words.setdefault(name, set()).update(_options(parser) | _choices(parser))
        return {beginning: sorted(found) for beginning, found in sorted(words.items())}


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for option in parser._option_string_actions if option.startswith("--")}


def _choices(parser: argparse.ArgumentParser) -> set[str]:
    return {
        str(choice)
        for action in parser._get_positional_actions()
        for choice in action.choices or ()
    }
