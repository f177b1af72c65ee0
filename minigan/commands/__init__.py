"""The commands of `minigan`, one a file. `minigan NAME` is the module `minigan.commands.NAME` with

    HELP                     a line for `minigan --help`, lower case, without a full stop
    add_options(parser)      adds the command's options to an argparse parser of its own
    run(options) -> int      runs the command; returns the exit status, 0 for success

To add a command, write such a file, and put its name into COMMANDS in `minigan.cli`, at its place
in the list of `minigan --help`. Then:

- `options` has what commands share: the types of values (`count`, `path`, ...), RUN, --backend,
  --json, --quiet, and `suggest`, which tells shell completion words.
- Every command is imported for `minigan --help`, so what takes time to import (models, NumPy,
  pictures) is imported inside `run` and `add_options`; `add_options` runs only for the command that
  was typed.
- A result is printed with `print`. Words about it go through `minigan.system.console`: `remark` for
  progress, which --quiet silences, `say` for a file's name, `warn` for a warning.
- For a wrong option, raise ValueError with a sentence that names the option, what was given and
  what is accepted. `cli` prints it in one line and returns 2; it does so for other errors, too.
- `minigan.runs.load(run_of(options))` is the trained model of RUN: a run folder, a checkpoint or an
  exported generator, whose discriminator has initial weights ("holds" is in its config).
- Its tests go to `tests/commands`, its line for users into `examples/COMMANDS.md`; shell completion
  finds its options by itself.
"""
