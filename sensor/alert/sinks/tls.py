"""TLS to a sink: the other side is always verified, by the system's authorities or by those that the settings name."""

from __future__ import annotations

import ssl

from sensor.alert.secret import check_private
from sensor.alert.sinks.base import SinkError
from sensor.settings import TlsSettings


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """
    A context for connections to a sink, TLS 1.2 (RFC 9325 3.1.1) or later. Raises ``SinkError`` for files that are not
    what they should be, and for a key that everybody may read.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise SinkError(f"{settings.ca_file}: no certificates of authorities: {_why(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file is not None and settings.key_file is not None:
        check_private(settings.key_file)
        try:
            # A key under a passphrase would ask the terminal for it; an empty one is an error instead.
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: b"")
        except OSError as error:
            raise SinkError(f"{settings.cert_file}: no certificate with its key: {_why(error)}") from None
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not in PEM"
    return error.strerror or str(error)
