"""The `minigan` command: runs the given subcommand, and turns errors into sentences.

A command is a file of `minigan.commands`, whose docstring says how to add one.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from typing import Any, NoReturn, Sequence

from minigan.commands.options import Formatter
from minigan.system import starting
from minigan.system.console import Forgiving, can_flush, give_up, printable, quiet, reason, tell
from minigan.system.interrupt import Signals, exit_status

COMMANDS = ("train", "resume", "report", "sample", "edit", "directions", "play", "evaluate", "toy",
            "export", "models", "data", "info", "bench", "profile", "completion")
EPILOG = ("exit status: 0: done; 1: done, but a check or test found something wrong, nothing could "
          "be measured, or the reader of standard output has gone; 2: an error, said in one "
          "sentence on standard error; 130 after Ctrl-C, 129 after SIGHUP, 143 after SIGTERM")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. An error is one sentence on standard error.

    Ctrl-C, SIGTERM and SIGHUP end it at any moment, with status 128 plus the signal's number; a
    training first saves what was learned. argv: the words after `minigan`; None for those of this
    process.
    """
    with Signals(last=starting.PROGRAM) as signals:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        except KeyboardInterrupt as interruption:
            signals.ignore()
            tell("minigan: interrupted")
            return exit_status(interruption)
        finally:
            signals.ignore()
            if not can_flush(sys.stdout):
                give_up(sys.stdout)


def _run(arguments: Sequence[str]) -> int:
    by_python = warnings.formatwarning
    warnings.formatwarning = _warning
    try:
        options = _parser(arguments).parse_args(arguments)
        with printable(sys.stdout), quiet(getattr(options, "quiet", False)):
            status: int = options.run(options)
            if hasattr(sys.stdout, "flush"):
                sys.stdout.flush()  # while a closed pipe can still be caught
        return status
    except BrokenPipeError:  # as after `| head`
        return 1
    except (ValueError, TypeError, ArithmeticError, OSError, RuntimeError, MemoryError) as error:
        if os.environ.get("MINIGAN_TRACEBACK"):
            raise
        tell(f"minigan: error: {_sentence(error)}")
        return 2
    finally:
        warnings.formatwarning = by_python


def _warning(message: Warning | str, *place: object, **line: object) -> str:
    return f"minigan: warning: {' '.join(str(message).split())}\n"


def _sentence(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return (f"out of memory ({error}); fewer or smaller images at a time (--batch-size, --n, "
                "--size) need less")
    return reason(error)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    from minigan.version import __version__
    parser = _Parser(
        prog="minigan", description="Generative adversarial networks from scratch, on NumPy or "
        "CuPy.", epilog=EPILOG, formatter_class=Formatter)
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = importlib.import_module(f"minigan.commands.{name}")
        own = commands.add_parser(name, help=command.HELP, formatter_class=Formatter)
        if name in arguments or "completion" in arguments:
            command.add_options(own)  # only then is it worth looking at the models' settings
        own.set_defaults(run=command.run, parser=parser)
    return parser


class _Parser(argparse.ArgumentParser):
    """Reports a wrong option in one sentence, without the list of all others."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Words after an option are put to the argument that takes any number of them, if there is
        one: argparse by itself stops filling it at the first option.
        """
        options, rest = super().parse_known_args(args, namespace)
        many = [action for action in self._actions
                if action.nargs == "*" and not action.option_strings]
        if many:
            words = [word for word in rest if not word.startswith("-")]
            values = [self._get_value(many[0], word) for word in words]
            setattr(options, many[0].dest, [*getattr(options, many[0].dest), *values])
            rest = [word for word in rest if word.startswith("-")]
        return options, rest

    def _print_message(self, message: str, file: Any = None) -> None:
        stream = Forgiving(file or sys.stderr)
        stream.write(message)
        stream.flush()

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (--help shows all there is)\n")


if __name__ == "__main__":
    sys.exit(main())
