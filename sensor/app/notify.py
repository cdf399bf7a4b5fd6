"""Tells systemd how the service is: ready, alive, stopping (sd_notify(3)); nothing where systemd is not."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends states to the socket that ``NOTIFY_SOCKET`` names. A socket that is gone is nobody's fault."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            # An abstract socket: its name begins with a NUL.
            self._address = "\0" + self._address[1:]
        self._watchdog_s = _watchdog_s(environment)
        self._next_s = 0.0

    @property
    def is_supervised(self) -> bool:
        """True if somebody is there who starts the process again when it fails: systemd, or a container's engine."""
        return bool(self._address) or os.getpid() == 1

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self, now_s: float) -> None:
        """Keep the watchdog quiet; *now_s* is a clock that only rises. Cheap: it speaks twice in the time allowed."""
        if self._watchdog_s is not None and now_s >= self._next_s:
            self._next_s = now_s + self._watchdog_s / 2
            self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(0.1)
                sender.sendto(state.encode(), self._address)
        except OSError:
            # Nobody listens: the service manager is gone, and no other place waits for this.
            self._address = ""


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Seconds between signs of life that are asked for; none if nobody asks, or asks another process."""
    micros, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not micros.isascii() or not micros.isdecimal() or int(micros) == 0:
        return None
    return None if process and process != str(os.getpid()) else int(micros) / 1_000_000
