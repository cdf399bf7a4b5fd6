"""The certificate that peers are shown, read anew when its files change: they are renewed while we run."""

from __future__ import annotations

import os
import ssl

from sensor.log import Log
from sensor.taps.base import TapError
from sensor.taps.private_key import check_private_key


class Certificate:
    """What is in *cert_file* and *key_file*. Raises ``TapError`` where that can't be used from the start."""

    def __init__(self, cert_file: str, key_file: str, log: Log) -> None:
        self._files, self._log = (cert_file, key_file), log
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._seen = self._look()
            self._load()
        except OSError as error:
            raise TapError(f"journal.cert_file and journal.key_file can't be used: {_why(error)}") from None

    def context(self) -> ssl.SSLContext:
        """For the next session. Where new files can't be used, the old certificate goes on, and that is told."""
        try:
            now = self._look()
            if now != self._seen:
                self._seen = now
                self._load()
                self._log.info("journal_certificate_reloaded")
        except OSError as error:
            self._log.error("journal_certificate_not_reloaded", why=_why(error))
        return self._context

    def _look(self) -> tuple[tuple[int, int], ...]:
        return tuple((found.st_mtime_ns, found.st_ino) for found in map(os.stat, self._files))

    def _load(self) -> None:
        check_private_key(self._files[1])
        self._context.load_cert_chain(*self._files)


def _why(error: OSError) -> str:
    return error.strerror or str(error)
