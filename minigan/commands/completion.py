"""`minigan completion bash|zsh`: a script that lets a shell complete what is typed after minigan.

The script is made of the commands' own parsers, so it knows what they know: a table of places, that
is commands with what may follow them, and one of options with what can be their values.
"""

from __future__ import annotations

import argparse
import shlex
from typing import Any, Iterable, Iterator, NamedTuple

from minigan.commands.options import path

HELP = "print a script that completes commands, models and options in a shell"
FILES, RUNS = "files", "runs"  # kinds of words that are only known when they are asked for


class Offer(NamedTuple):
    """What can stand somewhere: words, and perhaps a kind of files."""

    words: list[str]
    kind: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.description = (
        "Print a script for a shell. Of bash: put source <(minigan completion bash) into "
        "~/.bashrc. Of zsh: put source <(minigan completion zsh) into ~/.zshrc, after compinit.")
    parser.add_argument("shell", choices=list(SCRIPTS), metavar="|".join(SCRIPTS),
                        help="which shell")


def run(options: argparse.Namespace) -> int:
    """Print the script; returns the exit status."""
    places: dict[str, Offer] = {}
    values: dict[str, Offer] = {}
    for place, parser in parsers(options.parser):
        places[place] = after(parser)
        for action in parser._actions:
            if action.option_strings and action.nargs != 0:
                for flag in action.option_strings:
                    values[f"{place} {flag}"] = value_of(action)
    print(SCRIPTS[options.shell].format(
        steps="|".join(shlex.quote(place) for place in places if place),
        values=cases(values), places=cases(places)), end="")
    return 0


def parsers(parser: argparse.ArgumentParser, place: str = ""
            ) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """A parser and those of its commands, each with the words that lead to it: " train gan"."""
    yield place, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from parsers(inner, f"{place} {name}")


def after(parser: argparse.ArgumentParser) -> Offer:
    """What can be typed where no value of an option is due: commands, options, arguments."""
    words: list[str] = []
    kind = ""
    for action in parser._actions:
        if action.option_strings:
            words += [flag for flag in action.option_strings if flag.startswith("--")]
        else:
            offer = value_of(action)
            words += offer.words
            kind = kind or offer.kind
    return Offer(words, kind)


def value_of(action: argparse.Action) -> Offer:
    """What can be an argument, or the value of an option."""
    known: Iterable[Any] = getattr(action, "known", ())
    if action.choices is not None:
        known = action.choices
    words = [str(word) for word in known]
    if action.dest == "run_folder":
        return Offer(words, RUNS)
    if action.type is path or action.dest == "data":
        return Offer(words, FILES)
    return Offer(words)


def cases(offers: dict[str, Offer]) -> str:
    """Branches of a shell's `case`; those of equal offers are one."""
    places: dict[tuple[str, str], list[str]] = {}
    for place, offer in offers.items():
        quoted = " ".join(map(shlex.quote, offer.words))
        places.setdefault((quoted, offer.kind), []).append(shlex.quote(place))
    return "\n".join(f"        {'|'.join(names)}) offered=({words}); kind={kind} ;;"
                     for (words, kind), names in places.items())


BASH = """\
# Completion of minigan for bash: source <(minigan completion bash)
_minigan() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local place= kind= before= word i IFS=$'\\n'
    local -a offered=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$place ${{COMP_WORDS[i]}}" in
        {steps}) place="$place ${{COMP_WORDS[i]}}" ;;
        esac
    done
    if [[ $current == = ]]; then  # bash takes --out=a for three words, and gan:seed too
        current=
    elif [[ $previous == = ]]; then
        previous=${{COMP_WORDS[COMP_CWORD-2]}}
    elif [[ $current == : ]]; then
        before=$previous:
        current=$before
    elif [[ $previous == : ]]; then
        before=${{COMP_WORDS[COMP_CWORD-2]}}:
        current=$before$current
    fi
    case "$place $previous" in
{values}
        *) case "$place" in
{places}
        esac ;;
    esac
    COMPREPLY=()
    if [[ $kind == runs ]]; then
        for word in runs/*/config.json; do
            [[ -e $word ]] && offered+=("${{word%/config.json}}")
        done
        kind=files
    fi
    for word in "${{offered[@]}}"; do
        [[ $word == "$current"* ]] && COMPREPLY+=("${{word#"$before"}}")
    done
    if [[ $kind == files ]]; then
        compopt -o filenames 2> /dev/null
        COMPREPLY+=($(compgen -f -- "$current"))
    fi
}}
complete -F _minigan minigan
"""

ZSH = """\
#compdef minigan
# Completion of minigan for zsh: source <(minigan completion zsh)
_minigan() {{
    local previous=${{words[CURRENT-1]}} place= kind= i
    local -a offered
    for ((i = 2; i < CURRENT; i++)); do
        case "$place ${{words[i]}}" in
        {steps}) place="$place ${{words[i]}}" ;;
        esac
    done
    if [[ ${{words[CURRENT]}} == --*=* ]]; then
        previous=${{words[CURRENT]%%=*}}
        compset -P '*='
    fi
    case "$place $previous" in
{values}
        *) case "$place" in
{places}
        esac ;;
    esac
    [[ $kind == runs ]] && offered+=(runs/*/config.json(N:h))
    (( $#offered )) && compadd -- "${{offered[@]}}"
    [[ -n $kind ]] && _files
    return 0
}}
if [[ ${{funcstack[1]:-}} == _minigan ]]; then
    _minigan "$@"
else
    compdef _minigan minigan
fi
"""

SCRIPTS: dict[str, Any] = {"bash": BASH, "zsh": ZSH}
