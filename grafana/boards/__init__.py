"""Every dashboard: a file each, and this list."""

from __future__ import annotations

from collections.abc import Sequence

from grafana.board import Board
from grafana.boards import fleet, health, inline, mailbox, overview

BOARDS: Sequence[Board] = (overview.BOARD, mailbox.BOARD, health.BOARD, fleet.BOARD, inline.BOARD)
