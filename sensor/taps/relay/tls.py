"""TLS on both legs."""

from __future__ import annotations

import ssl

from sensor.log import Log
from sensor.settings import RelaySettings
from sensor.taps.base import TapError
from sensor.taps.certificate import Certificate, why_not_loaded


def client_certificate(settings: RelaySettings, log: Log) -> Certificate | None:
    """What clients are offered; none where they are offered nothing. Raises ``TapError``."""
    if settings.tls == "off":
        return None
    if not settings.tls_cert_file:
        raise TapError(f'relay.tls = "{settings.tls}": name relay.tls_cert_file, and relay.tls_key_file if it is apart')
    named = f"relay.tls_cert_file {settings.tls_cert_file}"
    return Certificate(settings.tls_cert_file, settings.tls_key_file, log, tap="relay", named=named)


def next_hop_context(settings: RelaySettings) -> ssl.SSLContext | None:
    """
    How the next hop's TLS is used; none where it is not.

    "may" keeps off those who only listen, and takes any certificate (RFC 7435); "require" verifies it.
    """
    if settings.next_hop_tls == "off":
        return None
    try:
        context = ssl.create_default_context(cafile=settings.next_hop_ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise TapError(f"relay.next_hop_ca_file {settings.next_hop_ca_file}: {why_not_loaded(error)}") from None
    if settings.next_hop_tls == "may":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
