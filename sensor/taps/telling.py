"""What goes wrong with those who bring mail, told in the log: each kind at once, and then once a minute."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable

from sensor.log import Log
from sensor.model import TapName

TELL_EVERY_S = 60.0
"""A next hop that is down is met by each session: one line says so, and how many met it since the last."""


class Teller:
    """
    Tells *log* of troubles of the *tap*. Each has a name, of which there are a few, and a reason, which holds no word
    of mail.
    """

    def __init__(self, log: Log, tap: TapName, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._tap, self._clock = log, tap, clock
        self._untold: Counter[str] = Counter()
        self._told_at_s: dict[str, float] = {}

    def tell(self, trouble: str, why: str) -> None:
        """Tell of it, unless that was done a moment ago; then it is counted."""
        self._untold[trouble] += 1
        now_s = self._clock()
        if now_s - self._told_at_s.get(trouble, -TELL_EVERY_S) < TELL_EVERY_S:
            return
        self._log.warning(f"{self._tap}_{trouble}", times=self._untold.pop(trouble), why=why)
        self._told_at_s[trouble] = now_s


def reason_of(error: Exception) -> str:
    """Why a connection or a TLS handshake failed, in the words of the system and of nobody at its other end."""
    if isinstance(error, ssl.SSLError):
        # Those that were not made by OpenSSL have neither.
        of_openssl = getattr(error, "verify_message", None) or getattr(error, "reason", None) or "TLS failed"
        return str(of_openssl).replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return error.strerror or "its name can't be looked up"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    # Of a host with several addresses, asyncio tells the errors of all in one text.
    return str(error) or type(error).__name__
