"""The command line: arguments in, exit status out. What is done stands in ``app``."""

from sensor.cli.commands import cli, run_cli

__all__ = ["cli", "run_cli"]
