"""Prints what the package itself needs, one requirement a line: it is installed before the core is built."""

import tomllib
from pathlib import Path

with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
    print(*tomllib.load(file)["project"]["dependencies"], sep="\n")
