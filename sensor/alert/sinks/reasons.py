"""Why a connection failed, in words that are the same whichever library it failed in, and that name no secret."""

from __future__ import annotations

import os
import socket
import ssl

from sensor.log import printable


def reason_of(error: OSError) -> str:
    """The system's own words for *error*; of TLS what did not verify, of names that there are none."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS failed: {printable(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {printable(error.reason or 'for no reason told')}"
    if isinstance(error, socket.gaierror):
        return printable(error.strerror or "the name is not known")
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return printable(str(error)) or type(error).__name__
