"""TLS on both legs."""

from __future__ import annotations

import ssl

from sensor.settings import RelaySettings
from sensor.taps.base import TapError
from sensor.taps.private_key import check_private_key


def client_context(settings: RelaySettings) -> ssl.SSLContext | None:
    """What clients are offered; none where they are offered nothing. Raises ``TapError``."""
    if settings.tls == "off":
        return None
    if not settings.tls_cert_file:
        raise TapError(f'relay.tls = "{settings.tls}": name relay.tls_cert_file, and relay.tls_key_file if it is apart')
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        check_private_key(settings.tls_key_file or settings.tls_cert_file)
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise TapError(f"relay.tls_cert_file {settings.tls_cert_file}: {_why(error)}") from None
    return context


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
        raise TapError(f"relay.next_hop_ca_file {settings.next_hop_ca_file}: {_why(error)}") from None
    if settings.next_hop_tls == "may":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        # What OpenSSL says of a file that is none of its own is its own source line.
        is_pair = getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
        return "certificate and key are no pair" if is_pair else "there is nothing in it that can be used (PEM is read)"
    return error.strerror or str(error)
