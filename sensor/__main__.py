"""``mailsensor`` and ``python -m sensor``."""

import gc
import sys


def main() -> None:
    """Runs the command line and ends with its status."""
    # What a start makes stays: to look for cycles among it at every 700 objects would take a tenth of the start.
    gc.set_threshold(50_000)
    from sensor.cli import run_cli

    sys.exit(run_cli())


if __name__ == "__main__":
    main()
