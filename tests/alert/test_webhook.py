"""The webhook: what is sent can be checked by whoever gets it, and each answer means what it should."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, read_alert, record_of
from sensor.alert.sinks.base import Delivered, SinkError
from sensor.alert.sinks.http import LONGEST_RETRY_AFTER_S, retry_after_s
from sensor.alert.sinks.webhook import WebhookSink
from sensor.settings import SecretSource, TlsSettings, WebhookSettings
from tests.alert.findings import NOW_MS, finding, settings
from tests.alert.receivers import Certificates, Reply, free_port, make_certificates, receiving
from tests.running import needs

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")
ENVIRONMENT = {"KEY": "whsec_" + base64.b64encode(b"k" * 32).decode(), "PLAIN": "as it is", "TOKEN": "PLANTED-TOKEN"}


def records(count: int) -> list[AlertRecord]:
    return [msgspec.structs.replace(RECORD, id=f"{number:032x}") for number in range(count)]


def delivered(url: str, batch: Sequence[AlertRecord], **other: object) -> Delivered:
    """What a sink to *url* makes of *batch*."""

    async def deliver() -> Delivered:
        sink = WebhookSink(
            WebhookSettings(name="hook", url=url, **({"timeout_s": 5.0} | other)),  # type: ignore[arg-type]
            ENVIRONMENT,
            wall_s=lambda: 1_795_305_600.7,
        )
        try:
            return await sink.deliver(batch)
        finally:
            await sink.close()

    return asyncio.run(deliver())


@pytest.mark.parametrize(("variable", "key"), [("KEY", b"k" * 32), ("PLAIN", b"as it is")])
def test_each_record_is_one_request_that_its_receiver_can_check(variable: str, key: bytes) -> None:
    with receiving() as receiver:
        told = delivered(f"{receiver.url}/in?x=1", records(2), secret=SecretSource(variable=variable))
    assert told == Delivered(2)
    for number, request in enumerate(receiver.requests):
        assert request.path == "/in?x=1"
        assert read_alert(request.body) == records(2)[number]
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["webhook-id"] == f"{number:032x}.0"
        assert request.headers["webhook-timestamp"] == "1795305600"
        signed = f"{number:032x}.0.1795305600.".encode() + request.body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert request.headers["webhook-signature"] == f"v1,{expected}"


def test_without_a_secret_nothing_is_signed_and_doubles_are_known_by_their_id() -> None:
    again = [RECORD, msgspec.structs.replace(RECORD, redelivered=True)]
    with receiving() as receiver:
        assert delivered(receiver.url, again) == Delivered(2)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {f"{RECORD.id}.0"}
    assert [json.loads(request.body)["redelivered"] for request in receiver.requests] == [False, True]
    assert all("webhook-signature" not in request.headers for request in receiver.requests)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(204), Delivered(3)),
        (Reply(503), Delivered(1, problem="503 Service Unavailable")),
        (Reply(503, {"Retry-After": "7"}), Delivered(1, problem="503 Service Unavailable", retry_after_s=7.0)),
        (Reply(429, {"Retry-After": "99999999"}),
         Delivered(1, problem="429 Too Many Requests", retry_after_s=LONGEST_RETRY_AFTER_S)),
        (Reply(500), Delivered(1, problem="500 Internal Server Error")),
        (Reply(504), Delivered(1, unsure=1, problem="504 Gateway Timeout")),
        (Reply(401), Delivered(1, problem="401 Unauthorized")),
        (Reply(404), Delivered(1, problem="404 Not Found")),
        (Reply(400), Delivered(1, refuses_next=True, problem="400 Bad Request")),
        (Reply(413), Delivered(1, refuses_next=True, problem="413 ")),
        (Reply(422), Delivered(1, refuses_next=True, problem="422 ")),
        (Reply(302, {"Location": "http://127.0.0.1:1/elsewhere"}), Delivered(1, problem="302 Found")),
        (Reply(799), Delivered(1, problem="799")),
    ],
)  # fmt: skip
def test_an_answer_says_what_became_of_the_second_of_three(reply: Reply, expected: Delivered) -> None:
    with receiving(Reply(), reply, Reply()) as receiver:
        told = delivered(receiver.url, records(3))
    assert (expected.problem or "") in (told.problem or "")
    assert (told.count, told.unsure, told.refuses_next, told.retry_after_s) == (
        expected.count, expected.unsure, expected.refuses_next, expected.retry_after_s,
    )  # fmt: skip
    assert len(receiver.requests) == (3 if expected.problem is None else 2)


def test_nobody_there_is_sure_not_to_have_it() -> None:
    told = delivered(f"http://127.0.0.1:{free_port()}/", records(1))
    assert (told.count, told.unsure) == (0, 0)
    assert "refused" in str(told.problem).lower()


@pytest.mark.parametrize(
    ("reply", "words"), [(Reply(wait_s=30), "no answer within 0.3 s"), (Reply(0), "ended before the answer")]
)
def test_a_receiver_that_does_not_answer_may_have_it(reply: Reply, words: str) -> None:
    with receiving(reply) as receiver:
        told = delivered(receiver.url, records(2), timeout_s=0.3)
    assert (told.count, told.unsure) == (0, 1)
    assert words in str(told.problem)


def test_an_answer_of_many_octets_costs_nobody_anything() -> None:
    with receiving(Reply(body=b"x" * 3_000_000)) as receiver:
        assert delivered(receiver.url, records(1)) == Delivered(1)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"), needs("openssl", "openssl"))


def test_over_tls_the_receiver_is_verified(certificates: Certificates) -> None:
    with receiving(context=certificates.server()) as receiver:
        url = f"https://localhost:{receiver.port}/"
        assert delivered(url, records(1), tls=TlsSettings(ca_file=str(certificates.authority))) == Delivered(1)
        for tls in (TlsSettings(), TlsSettings(ca_file=str(certificates.stranger))):
            told = delivered(url, records(1), tls=tls)
            assert (told.count, told.unsure) == (0, 0)
            assert "TLS failed" in str(told.problem)
    assert len(receiver.requests) == 1


def test_problems_name_neither_path_nor_password_nor_what_was_answered() -> None:
    with receiving(Reply(403, body=b"PLANTED-ANSWER")) as receiver:
        url = f"{receiver.url}/PLANTED-PATH?token=PLANTED-QUERY"
        told = delivered(url, records(1), token=SecretSource(variable="TOKEN"))
    assert receiver.requests[0].headers["Authorization"] == "Bearer PLANTED-TOKEN"
    assert told.problem == f"{receiver.url}: answered 403 Forbidden"


def test_a_name_and_a_password_go_as_basic_authorisation(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pässword\n")
    (tmp_path / "password").chmod(0o600)
    with receiving() as receiver:
        delivered(receiver.url, records(1), username="ann", password=SecretSource(file=str(tmp_path / "password")))
    scheme, coded = receiver.requests[0].headers["Authorization"].split()
    assert (scheme, base64.b64decode(coded).decode()) == ("Basic", "ann:pässword")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64"])
def test_a_secret_that_is_none_is_an_error_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(SinkError) as error:
        WebhookSink(
            WebhookSettings(name="hook", url="http://localhost/", secret=SecretSource(variable="S")), {"S": secret}
        )
    assert "not base64" not in str(error.value).replace("is no base64", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("-5", 0.0),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 00:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2020 00:01:00 GMT", 0.0),
        ("Sun, 22 Nov 2099 00:01:00 GMT", LONGEST_RETRY_AFTER_S),
        ("Sun, 22 Nov 2026 00:01:00", None),
    ],
)
def test_retry_after_is_read_by_number_and_date_within_bounds(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value, datetime(2026, 11, 22, tzinfo=UTC)) == expected
