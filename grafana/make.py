"""Writes the dashboards: ``python -m grafana.make``. A test keeps what is committed current."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grafana.boards import BOARDS

FOLDER = Path(__file__).parent / "dashboards"


def files() -> Mapping[Path, str]:
    """Every file with what it should hold."""
    return {FOLDER / f"{board.name}.json": json.dumps(board.to_json(), indent=1) + "\n" for board in BOARDS}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
