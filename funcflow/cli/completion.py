"""Completion scripts: one table of words, written down for each shell.

The scripts stand alone: completing starts no Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

#: Beginning of a command line to what may follow it.
Words = Mapping[str, Sequence[str]]

_BASH = """\
# bash completion for funcflow
_funcflow_words() {
  case "$1" in
@CASES@
  *) return 1 ;;
  esac
}
_funcflow() {
  local current="${COMP_WORDS[COMP_CWORD]}" path="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    _funcflow_words "${path:+$path }$word" >/dev/null && path="${path:+$path }$word"
  done
  COMPREPLY=($(compgen -W "$(_funcflow_words "$path")" -- "$current"))
}
complete -o default -F _funcflow funcflow
"""

_ZSH = """\
#compdef funcflow
_funcflow_words() {
  case "$1" in
@CASES@
  *) return 1 ;;
  esac
}
_funcflow() {
  local at="" word
  for word in "${(@)words[2,CURRENT-1]}"; do
    _funcflow_words "${at:+$at }$word" >/dev/null && at="${at:+$at }$word"
  done
  compadd -- ${=$(_funcflow_words "$at")} || _files
}
# Autoloaded from fpath the file is the function's body; sourced, it registers the function.
if [[ "${funcstack[1]}" == _funcflow ]]; then _funcflow; else compdef _funcflow funcflow; fi
"""

_FISH = """\
# fish completion for funcflow
function __funcflow_words
  switch "$argv[1]"
@CASES@
  case '*'
    return 1
  end
end
function __funcflow_complete
  set -l at
  for word in (commandline -opc)[2..-1]
    if __funcflow_words (string join ' ' $at $word) >/dev/null
      set at $at $word
    end
  end
  __funcflow_words (string join ' ' $at) | string split ' '
end
complete -c funcflow -a '(__funcflow_complete)'
# Files are offered where a command's arguments stand, not where another word of it is missing.
complete -c funcflow -n '__funcflow_complete | string match -qv -- "-*"' -f
"""


def _sh_case(beginning: str, words: Sequence[str]) -> str:
    return f"  '{beginning}') echo '{' '.join(words)}' ;;"


def _fish_case(beginning: str, words: Sequence[str]) -> str:
    return f"  case '{beginning}'\n    echo '{' '.join(words)}'"


SHELLS: dict[str, tuple[str, Callable[[str, Sequence[str]], str]]] = {
    "bash": (_BASH, _sh_case),
    "fish": (_FISH, _fish_case),
    "zsh": (_ZSH, _sh_case),
}


def script(shell: str, words: Words) -> str:
    """The script that completes ``words`` in ``shell``."""
    template, case = SHELLS[shell]
    cases = "\n".join(case(beginning, following) for beginning, following in words.items())
    return template.replace("@CASES@", cases)
