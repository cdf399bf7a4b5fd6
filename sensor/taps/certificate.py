"""The certificate that clients are shown, read anew when its files change: they are renewed while we run."""

from __future__ import annotations

import os
import ssl

from sensor.log import Log
from sensor.model import TapName
from sensor.taps.base import TapError
from sensor.taps.private_key import check_private_key


class Certificate:
    """
    What is in *cert_file* and *key_file* ("": the same file). *named* are the settings that name them. Raises
    ``TapError`` where they can't be used from the start.
    """

    def __init__(self, cert_file: str, key_file: str, log: Log, *, tap: TapName, named: str) -> None:
        self._cert_file, self._key_file = cert_file, key_file
        self._log, self._tap = log, tap
        self._problem: str | None = None
        try:
            self._seen = self._look()
            self._context = self._load()
        except OSError as error:
            raise TapError(f"{named} can't be used: {why_not_loaded(error)}") from None

    def context(self) -> ssl.SSLContext:
        """
        For the next session. Where new files can't be used, or are no pair yet since one comes after the other, the old
        certificate goes on; that is told once.
        """
        try:
            now = self._look()
            if now != self._seen:
                self._seen = now
                self._context = self._load()
                self._log.info(f"{self._tap}_certificate_reloaded")
            self._problem = None
        except OSError as error:
            problem = why_not_loaded(error)
            if problem != self._problem:
                self._log.error(f"{self._tap}_certificate_not_reloaded", why=problem)
            self._problem = problem
        return self._context

    def _look(self) -> tuple[tuple[int, int], ...]:
        files = (self._cert_file, self._key_file or self._cert_file)
        return tuple((found.st_mtime_ns, found.st_ino) for found in map(os.stat, files))

    def _load(self) -> ssl.SSLContext:
        # A new one each time: of one that failed to load, the old certificate is gone.
        check_private_key(self._key_file or self._cert_file)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._cert_file, self._key_file or None)
        return context


def why_not_loaded(error: OSError) -> str:
    """Why a file of certificates or keys can't be used."""
    if isinstance(error, ssl.SSLError):
        # What OpenSSL says of a file that is none of its own is a line of its source.
        is_pair = getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
        return "certificate and key are no pair" if is_pair else "there is nothing in it that can be used (PEM is read)"
    return error.strerror or str(error)
