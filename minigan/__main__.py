"""`python -m minigan` is the `minigan` command."""

import sys

from minigan.cli import main

if __name__ == "__main__":
    sys.exit(main())
