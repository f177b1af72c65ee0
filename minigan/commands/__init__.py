"""The commands of `minigan`, one a file: HELP, `add_options(parser)`, `run(options) -> status`."""
