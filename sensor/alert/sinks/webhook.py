"""
A webhook: each record as one POST of JSON, signed as Standard Webhooks 1.0.0 has it.

    webhook-id         alert id "." number of the telling: the same for each try, so a receiver knows doubles by it
    webhook-timestamp  seconds since the epoch, at which this try was made
    webhook-signature  "v1," and base64 of HMAC-SHA256(secret, id "." timestamp "." body)

The signature covers time and id, so that neither an old request nor a changed one passes for a new one. The scheme is
a public one, so that receivers check it with a library. https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence

from sensor.alert.record import AlertRecord, to_line
from sensor.alert.secret import Secret, read_secret
from sensor.alert.sinks.base import Delivered, PlainAsyncSink, SinkError
from sensor.alert.sinks.http import Poster
from sensor.settings import WebhookSettings

_PREFIX = b"whsec_"


class WebhookSink(PlainAsyncSink):
    """Posts records one by one, so that each has an answer of its own."""

    batch = 1

    def __init__(
        self,
        settings: WebhookSettings,
        environment: Mapping[str, str],
        *,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = settings.name
        self._poster = Poster(settings, environment)
        self._key = _key(read_secret(settings.secret, environment)) if settings.secret is not None else None
        self._wall_s = wall_s

    async def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        for number, record in enumerate(batch):
            body = to_line(record).rstrip(b"\n")
            answer = await self._poster.post(body, headers=self._headers(message_id(record), body))
            if answer.problem is not None:
                return answer.delivered(number)
        return Delivered(len(batch))

    async def close(self) -> None:
        await self._poster.close()

    def _headers(self, identity: str, body: bytes) -> dict[str, str]:
        at_s = int(self._wall_s())
        headers = {"webhook-id": identity, "webhook-timestamp": str(at_s)}
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, identity, at_s, body)
        return headers


def message_id(record: AlertRecord) -> str:
    """Which telling of which alert it is: the key by which a receiver knows doubles."""
    return f"{record.id}.{record.updates}"


def signature(key: Secret, identity: str, at_s: int, body: bytes) -> str:
    """The value of webhook-signature."""
    digest = hmac.digest(key.reveal(), f"{identity}.{at_s}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: Secret) -> Secret:
    """The key in *secret*: base64 behind ``whsec_``, as the standard writes one, or else its octets as they are."""
    octets = secret.reveal()
    if not octets.startswith(_PREFIX):
        return secret
    try:
        key = base64.b64decode(octets.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise SinkError("a secret of settings begins with whsec_, and what follows is no base64")
    return Secret(key)
