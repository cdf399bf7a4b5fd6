"""A secret that went over the wire appears in nothing that the sensor says, whatever happened to it on the way."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor import _core
from sensor.classify import builtin_table
from sensor.cli import run_cli
from tests.builders import Dialogue, Flow, capture
from tests.running import mailsensor
from tests.sensing import told_of
from tests.span_strategies import harmless, lossy
from tests.test_pcaps import CASES, capture_of, truth_of

PLANTED = "PLANTED-SECRET"
"""What made secrets begin with: a part of one is a leak too."""

SECRETS: dict[Path, list[str]] = {case: truth_of(case).get("secrets", []) for case in CASES}
CARRIERS = [case for case, secrets in SECRETS.items() if secrets]

carriers = pytest.mark.parametrize("case", CARRIERS, ids=lambda case: case.name)


@cache
def codings(secret: str) -> tuple[bytes, ...]:
    """The secret in lower case as it is, in hex, and in base64 at each of the three places it can have in a text."""
    octets = secret.encode()
    # Of base64 only what the secret alone determines: characters at its ends share bits with their neighbours.
    in_base64 = [
        base64.b64encode(b"\0" * lead + octets)[-(-lead * 8 // 6) : (lead + len(octets)) * 8 // 6] for lead in range(3)
    ]
    return tuple(coded.lower() for coded in (octets, octets.hex().encode(), *in_base64))


def leaks(output: bytes, secrets: Iterable[str]) -> list[str]:
    """Which of the *secrets* stand in *output*, in any coding and in any case."""
    said = output.lower()
    return [secret for secret in secrets if any(coded in said for coded in codings(secret))]


def everything(value: object) -> Iterator[str]:
    """What an object of the core says of itself, and what each of its attributes does."""
    yield repr(value)
    yield str(value)
    if isinstance(value, list | tuple):
        for each in value:
            yield from everything(each)
    elif type(value).__module__ == _core.__name__:
        for name in dir(value):
            if not name.startswith("_") and not callable(getattr(value, name)):
                yield from everything(getattr(value, name))


def objects_of(path: Path) -> bytes:
    """All that is to be read off the objects that the core makes of the capture at *path*."""
    interest = builtin_table().interest
    replay = _core.Replay(
        [str(path)], _core.Interest(fields=interest.fields, subject_prefixes=interest.subject_prefixes)
    )
    said: list[str] = []
    while (batch := replay.next_batch()) is not None:
        said += everything(batch)
        said += everything(batch.tally(classify_all=True))
        for event in batch:
            said += everything(event)
    said += everything(replay.damage())
    said += [repr(replay), repr(replay.counters()), repr(replay.progress())]
    return "\n".join(said).encode(errors="surrogateescape")


def all_forms(paths: Iterable[Path], where: Path) -> Iterator[bytes]:
    """Records, summary as text and as JSON, and the log of a quiet run, each with what went to standard error."""
    names = [str(path) for path in paths]
    for options in (["--events", str(where / "records")], ["--json"], ["--quiet"], ["--events", "-"]):
        ended = mailsensor("replay", *names, *options)
        assert ended.status in (0, 3), ended.err
        yield ended.out + ended.err
    yield (where / "records").read_bytes()


def test_codings_find_what_they_should() -> None:
    """The search itself is right: at every place in a longer text, and in hex."""
    assert len(CARRIERS) > 15
    for lead in range(7):
        coded = base64.b64encode(b"x" * lead + b"PLANTED-SECRET-a" + b"y" * 5)
        assert leaks(b"..." + coded, ["PLANTED-SECRET-a"])
    assert leaks(b"PLANTED-SECRET-a".hex().encode(), ["PLANTED-SECRET-a"])
    assert not leaks(b"PLANTED-SECRET-b", ["PLANTED-SECRET-a"])


def test_no_secret_of_any_case_is_in_any_output(tmp_path: Path) -> None:
    """All captures at once."""
    secrets = [PLANTED, *(secret for each in SECRETS.values() for secret in each)]
    for output in all_forms([capture_of(case) for case in CASES], tmp_path):
        assert leaks(output, secrets) == []


@carriers
def test_no_secret_is_in_what_one_capture_gives(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The command line, and every attribute of every object below it."""
    events = tmp_path / "records"
    monkeypatch.setattr(sys, "argv", ["mailsensor", "replay", str(capture_of(case)), "--events", str(events)])
    assert run_cli() in (0, 3)
    out, err = capfdbinary.readouterr()
    for output in (out, err, events.read_bytes(), objects_of(capture_of(case))):
        assert leaks(output, [PLANTED, *SECRETS[case]]) == []


@carriers
def test_no_secret_is_in_what_a_cut_capture_gives(case: Path, tmp_path: Path) -> None:
    """Messages about damage quote no packet: cut in the middle of each secret, and with its octets turned to noise."""
    octets = capture_of(case).read_bytes()
    places = [at for secret in SECRETS[case] if (at := octets.find(secret.encode())) >= 0]
    assert places
    for number, at in enumerate(places):
        broken = (octets[: at + 9], octets[: at - 70] + b"\xff" * 16 + octets[at - 54 :])
        for kind, damaged in enumerate(broken):
            path = tmp_path / f"{number}-{kind}.pcap"
            path.write_bytes(damaged)
            told = told_of(path)
            said = told.lines + repr([(each.kind, each.detail) for each in told.damage]).encode()
            assert leaks(said + objects_of(path), [PLANTED, *SECRETS[case]]) == []


def test_no_secret_is_in_an_error_about_a_path_or_a_setting(tmp_path: Path) -> None:
    """A file that is no capture at all, but holds a secret, is not quoted."""
    path = tmp_path / "notes"
    path.write_text(f"AUTH PLAIN {PLANTED}-x\n" * 50)
    for arguments in (
        ["replay", str(path)],
        ["replay", str(path), "--quiet"],
        ["replay", str(path), "--settings", str(path)],
    ):
        ended = mailsensor(*arguments)
        assert ended.status == 1
        assert leaks(ended.out + ended.err, [PLANTED]) == []


# ---- random dialogues


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@st.composite
def authentications(draw: st.DrawFn) -> Dialogue:
    """A session with one to three attempts to authenticate, by any mechanism, well and badly done, then a mail."""
    dialogue = Dialogue().greet()
    for number in range(draw(st.integers(1, 3))):
        secret = f"{PLANTED}-{number}-{draw(st.integers(0, 10**6))}"
        verb, final = draw(st.sampled_from(["AUTH", "auth", "Auth"])), draw(st.sampled_from(FINALS))
        draw(st.sampled_from(MECHANISMS))(dialogue, verb, secret)
        if final:
            dialogue.s(final)
    return dialogue.envelope().data().quit() if draw(st.booleans()) else dialogue


FINALS = ("235 2.7.0 Ok", "535 5.7.8 Bad", "454 4.7.0 Later", "501 5.5.2 Can't decode", "503 5.5.1 Not now", "")
"""Replies that end an exchange; none may come at all."""


def _plain(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} PLAIN {b64(f'{chr(0)}ann@a.example{chr(0)}{secret}')}")


def _plain_later(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} PLAIN").s("334 ").c(b64(f"\0ann@a.example\0{secret}"))


def _plain_at_once(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} PLAIN", b64(f"\0ann@a.example\0{secret}"))


def _login(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} LOGIN").s("334 VXNlcm5hbWU6").c(b64("ann@a.example")).s("334 UGFzc3dvcmQ6").c(b64(secret))


def _login_initial(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} LOGIN {b64('ann@a.example')}").s("334 UGFzc3dvcmQ6").c(b64(secret))


def _login_at_once(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} LOGIN", b64("ann@a.example"), b64(secret)).s("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6")


def _xoauth2(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} XOAUTH2 {b64(f'user=ann@a.example{chr(1)}auth=Bearer {secret}{chr(1)}{chr(1)}')}")


def _oauthbearer(dialogue: Dialogue, verb: str, secret: str) -> None:
    token = f"n,a=ann@a.example,\x01host=mx.corp.example\x01auth=Bearer {secret}\x01\x01"
    dialogue.c(f"{verb} OAUTHBEARER").s("334 ").c(b64(token))


def _unknown(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} X-OWN {b64(secret)}").s(f"334 {b64('more')}").c(b64(secret)).s("334 ").c(secret)


def _in_clear(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} LOGIN").s("334 VXNlcm5hbWU6").c("ann@a.example").s("334 UGFzc3dvcmQ6").c(secret)


def _broken(dialogue: Dialogue, verb: str, secret: str) -> None:
    dialogue.c(f"{verb} PLAIN =={b64(secret)}=", f"{verb} PLAIN {secret}")


def _refused_early(dialogue: Dialogue, verb: str, secret: str) -> None:
    """The client does not wait and says its secret to a server that has already refused."""
    dialogue.c(f"{verb} LOGIN").s("502 5.5.1 Not implemented").c(b64("ann@a.example")).s("500 ?").c(b64(secret)).s(
        "500 ?"
    )


MECHANISMS = (
    _plain, _plain_later, _plain_at_once, _login, _login_initial, _login_at_once, _xoauth2, _oauthbearer, _unknown,
    _in_clear, _broken, _refused_early,
)  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


@st.composite
def spanned(draw: st.DrawFn) -> Flow:
    """What a span port shows of such a session: whole, shuffled, with losses, from its middle on, or one side of it."""
    flow = draw(authentications()).flow()
    what: Any = draw(st.sampled_from(["whole", "shuffled", "lossy", "midstream", "client"]))
    if what == "shuffled":
        return draw(harmless(flow))
    if what == "lossy":
        return draw(lossy(flow, most=4))[0]
    if what == "midstream":
        return flow.since(draw(st.integers(0, len(flow.segments) - 1)))
    return flow.only("c") if what == "client" else flow


@given(flow=spanned())
@settings(deadline=None, max_examples=300)
def test_no_secret_of_a_random_dialogue_is_told(here: Path, flow: Flow) -> None:
    """Any mechanism, well or badly spoken, under any fault of the span port."""
    path = here / "input.pcap"
    capture(flow).write(path)
    assert leaks(told_of(path).lines + objects_of(path), [PLANTED]) == [], flow.story()
