"""`minigan completion bash|zsh`: a script that lets a shell complete what is typed after minigan.

The script is made from the commands' own parsers, so it knows what they know. It holds two tables:
what may follow a command ("train gan"), and what the value of an option ("train gan --preset") can
be.

We write it ourselves because shtab 1.13 completes neither `--preset=NAME` nor `gan:seed` in bash,
and no words that are suggestions rather than choices (data sets, runs, folders with a space).
"""

from __future__ import annotations

import argparse
import shlex
from typing import Any, Iterable, Iterator, NamedTuple

from minigan.commands.options import path

HELP = "print a script that completes commands, models and options in a shell"
# What is looked up when the shell asks.
FILES = "files"  # names of files
RUNS = "runs"    # run folders in runs/, then names of files


class Offer(NamedTuple):
    """What can be typed at a place: words, and perhaps what is looked up."""

    words: list[str]
    lookup: str = ""  # FILES, RUNS, or nothing


def add_options(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.description = (
        "Print a script for a shell. For bash, put source <(minigan completion bash) into "
        "~/.bashrc. For zsh, put source <(minigan completion zsh) into ~/.zshrc, after compinit.")
    parser.add_argument("shell", choices=list(SCRIPTS), metavar="|".join(SCRIPTS),
                        help="which shell")


def run(options: argparse.Namespace) -> int:
    """Print the script; returns the exit status."""
    after_command: dict[str, Offer] = {}
    after_option: dict[str, Offer] = {}
    for command, parser in parsers(options.parser):
        after_command[command] = arguments(parser)
        for action in parser._actions:
            if action.option_strings and action.nargs != 0:
                for flag in action.option_strings:
                    after_option[f"{command} {flag}"] = value_of(action)
    commands = "|".join(shlex.quote(command) for command in after_command if command)
    script = SCRIPTS[options.shell]
    print(script.format(steps=commands, values=cases(after_option), places=cases(after_command)),
          end="")
    return 0


def parsers(parser: argparse.ArgumentParser, command: str = ""
            ) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """A parser and those of its commands, each with the words that select it: " train gan"."""
    yield command, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from parsers(inner, f"{command} {name}")


def arguments(parser: argparse.ArgumentParser) -> Offer:
    """What can be typed unless an option waits for its value: commands, options, arguments."""
    words: list[str] = []
    lookup = ""
    for action in parser._actions:
        if action.option_strings:
            words += [flag for flag in action.option_strings if flag.startswith("--")]
        else:
            offer = value_of(action)
            words += offer.words
            lookup = lookup or offer.lookup
    return Offer(words, lookup)


def value_of(action: argparse.Action) -> Offer:
    """What can be an argument, or the value of an option."""
    known: Iterable[Any] = getattr(action, "known", ())  # from `options.suggest`
    if action.choices is not None:
        known = action.choices
    words = [str(word) for word in known]
    if action.dest == "run_folder":
        return Offer(words, RUNS)
    if action.type is path or action.dest == "data":
        return Offer(words, FILES)
    return Offer(words)


def cases(offers: dict[str, Offer]) -> str:
    """Branches of a shell's `case`; equal offers share one."""
    places: dict[tuple[str, str], list[str]] = {}
    for place, offer in offers.items():
        words = " ".join(map(shlex.quote, offer.words))
        places.setdefault((words, offer.lookup), []).append(shlex.quote(place))
    branches = []
    for (words, lookup), names in places.items():
        branches.append(f"        {'|'.join(names)}) offered=({words}); lookup={lookup} ;;")
    return "\n".join(branches)


BASH = """\
# Completion of minigan for bash: source <(minigan completion bash)
_minigan() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local place= lookup= before= word i IFS=$'\\n'
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
    if [[ $lookup == runs ]]; then
        for word in runs/*/config.json; do
            [[ -e $word ]] && offered+=("${{word%/config.json}}")
        done
        lookup=files
    fi
    for word in "${{offered[@]}}"; do
        [[ $word == "$current"* ]] && COMPREPLY+=("${{word#"$before"}}")
    done
    if [[ $lookup == files ]]; then
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
    local previous=${{words[CURRENT-1]}} place= lookup= i
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
    [[ $lookup == runs ]] && offered+=(runs/*/config.json(N:h))
    (( $#offered )) && compadd -- "${{offered[@]}}"
    [[ -n $lookup ]] && _files
    return 0
}}
if [[ ${{funcstack[1]:-}} == _minigan ]]; then
    _minigan "$@"
else
    compdef _minigan minigan
fi
"""

SCRIPTS: dict[str, Any] = {"bash": BASH, "zsh": ZSH}
