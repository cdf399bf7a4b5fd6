"""Asks the sensor that runs, over its own HTTP face, as the settings say that it listens."""

from __future__ import annotations

import base64
import http.client
import re
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import msgspec

from sensor.model import Forwarding, Outcome, TapName
from sensor.settings import Settings, split_listen
from sensor.web.config import WebConfigError, load_web_config

_PATIENCE_S = 25.0
"""For an answer: the sensor itself gives up a question after 20 seconds."""

_MOST_OCTETS = 64 << 20
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens, not where we do
_VERDICT = re.compile(r"^mailsensor_inline_verdicts_total\{(.*)\} ([0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class AskingError(Exception):
    """There is no answer; ``fix`` says what to do about it."""

    def __init__(self, said: str, fix: str) -> None:
        super().__init__(said)
        self.fix = fix


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is of interest here in a record of the mail."""

    id: str
    tap: TapName
    outcome: Outcome
    forwarding: Forwarding


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Seen]


class Asking:
    """The HTTP face of a sensor with these *settings*; *login* is ``name:password``. Raises ``AskingError``."""

    def __init__(self, settings: Settings, login: str = "") -> None:
        listen = settings.web.listen
        if not listen or listen.endswith(":0"):
            raise AskingError("web.listen names no port: nobody can ask the sensor", "set web.listen")
        host, self._port = split_listen(listen)
        self._host = _EVERYWHERE.get(host, host)
        self._context = _context(settings.web.config_file)
        self._headers = {"authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
        self._has_login = bool(login)

    def seen(self, message_id: str) -> Sequence[Seen]:
        """What it saw of that mail since it was first asked this, so it has to be asked before the mail is sent."""
        query = urlencode({"message_id": message_id})
        status, body = self._get(f"/api/v1/transactions?{query}")
        if status == 404:
            raise AskingError("a sensor of another version answers", "restart it: it runs an older program")
        self._expect(status, body)
        try:
            return msgspec.json.decode(body, type=_Page).items
        except msgspec.MsgspecError:
            raise AskingError("what answers is no sensor", "look at what listens on web.listen") from None

    def problems(self) -> Sequence[str]:
        """What it says itself that it lacks, a line each."""
        status, body = self._get("/-/ready")
        return body.decode("utf-8", "backslashreplace").splitlines()[:5] if status == 503 else ()

    def verdicts(self) -> Mapping[tuple[str, str, str], float]:
        """By tap, action and rule, what it did in all to mail in its passage."""
        status, body = self._get("/metrics")
        self._expect(status, body)
        series = ((dict(_LABEL.findall(labels)), float(value)) for labels, value in _VERDICT.findall(body.decode()))
        return {
            (labels["worker"], labels["action"], labels["rule"]): value
            for labels, value in series
            if labels["dry_run"] == "no"
        }

    def _get(self, path: str) -> tuple[int, bytes]:
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE_S)
        else:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=_PATIENCE_S, context=self._context)
        try:
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_OCTETS)
        except (OSError, http.client.HTTPException) as error:
            raise AskingError(
                f"{self._host}:{self._port}: {str(error) or type(error).__name__}",
                "start the sensor with these settings: systemctl status mailsensor says why it is not there",
            ) from None
        finally:
            connection.close()

    def _expect(self, status: int, body: bytes) -> None:
        if status == 200:
            return
        if status == 401:
            raise AskingError(
                "the sensor does not know this login" if self._has_login else "the sensor asks who we are",
                "--api-login FILE: one line, name:password of a user in web.config_file",
            )
        said = body.decode("utf-8", "backslashreplace").split("\n", maxsplit=1)[0][:200]
        raise AskingError(f"the sensor answers {status}: {said}", "its log says more")


def _context(config_file: str) -> ssl.SSLContext | None:
    """
    How TLS is spoken with it, none where it isn't.

    We read the settings that it reads, so its certificate itself is what we trust: whoever signed it, and whichever
    names it bears, since it is asked by its address.
    """
    try:
        tls = load_web_config(config_file).tls
    except WebConfigError as error:
        raise AskingError(str(error), "see docs/running.md for what may stand in it") from None
    if tls is None:
        return None
    if tls.client_auth_type == "RequireAndVerifyClientCert":
        raise AskingError(
            "the HTTP face wants certificates of its clients, and this command has none to show",
            "VerifyClientCertIfGiven with basic_auth_users in web.config_file, and --api-login",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(tls.cert_file)
    except (OSError, ssl.SSLError) as error:
        raise AskingError(f"{tls.cert_file}: {error}", "look at tls_server_config in web.config_file") from None
    return context
