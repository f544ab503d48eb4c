"""The sandbox's command line."""

import signal
import sys

from sandbox.cli import main

if __name__ == "__main__":
    # A polite end is an interruption too: what was begun is left as Ctrl-C leaves it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
