"""``mailsensor`` and ``python -m sensor``."""

import sys


def main() -> None:
    """Runs the command line and ends with its status."""
    from sensor.cli import run_cli

    sys.exit(run_cli())


if __name__ == "__main__":
    main()
