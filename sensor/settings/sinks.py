"""Where alerts go: ``[[alerts.sink]]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from sensor.settings import checks
from sensor.settings.checks import ENVIRONMENT_PREFIX, Check, number, one_of, shaped, whole
from sensor.settings.errors import RowError
from sensor.settings.rows import checked_row, rows_of


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret stands: in a file, or in an environment variable. Never the secret itself."""

    file: str | None = None
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """
    The authorities trusted (none: those of the system), and our own certificate. There is no way not to verify.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSinkSettings:
    """What sinks over HTTP have in common. ``timeout_s`` bounds one request, its answer included."""

    name: str
    url: str
    timeout_s: float = 10.0
    tls: TlsSettings = TlsSettings()
    username: str | None = None
    password: SecretSource | None = None
    token: SecretSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSettings(HttpSinkSettings):
    """
    An Alertmanager, by its base URL. What fires is sent again each ``resend_s``, and holds for ``expires_after_s``
    where nothing is heard of this sensor: a sensor that is away must not read as an all-clear.
    """

    resend_s: float = 60.0
    expires_after_s: float = 86_400.0
    mailbox_label: Literal["none", "pseudonym", "clear"] = "none"
    pseudonym_key: SecretSource | None = None
    generator_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(HttpSinkSettings):
    """A URL that takes one alert a request, signed where there is a ``secret``."""

    secret: SecretSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogSettings:
    """A receiver of RFC 5424. ``max_octets`` bounds a message, 0 for what the RFCs ask every receiver to take."""

    name: str
    host: str
    port: int = 0
    transport: Literal["udp", "tcp", "tls"] = "tls"
    timeout_s: float = 10.0
    tls: TlsSettings = TlsSettings()
    facility: str = "local0"
    max_octets: int = 0
    enterprise_number: int = 32_473


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSinkSettings:
    """Lines in a file that is moved aside at ``rotate_octets``; ``keep_files`` of those moved aside are kept."""

    name: str
    path: str
    form: Literal["jsonl", "ocsf"] = "jsonl"
    rotate_octets: int = 67_108_864
    keep_files: int = 8


SinkSettings = AlertmanagerSettings | WebhookSettings | SyslogSettings | FileSinkSettings


# Variables of this prefix are settings, and one that is none is refused.
_VARIABLE = shaped(
    rf"(?!{ENVIRONMENT_PREFIX})[A-Za-z_][A-Za-z0-9_]{{0,127}}",
    f"must be the name of an environment variable, which does not begin with {ENVIRONMENT_PREFIX}",
)
_ONE_LINE = shaped(r"[^:]{1,255}", "must be 1 to 255 characters without a colon")
FACILITIES = tuple(
    """
    kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3
    local4 local5 local6 local7
""".split()
)
"""By number: RFC 5424 6.2.1, by the names in use."""


def _secret(name: str) -> dict[str, Check]:
    return {f"{name}_file": checks.path, f"{name}_variable": _VARIABLE}


_SECRETS = ("password", "token", "secret", "pseudonym_key")
_TLS_KEYS: Mapping[str, Check] = {"ca_file": checks.path, "cert_file": checks.path, "key_file": checks.path}
_HTTP_KEYS = {
    "name": checks.name,
    "url": checks.url,
    "timeout_s": number(0.1, 300),
    "username": _ONE_LINE,
    **_secret("password"),
    **_secret("token"),
    **_TLS_KEYS,
}
_FILE_KEYS = {
    "name": checks.name,
    "path": checks.path,
    "rotate_octets": whole(65_536, 2**40),
    "keep_files": whole(0, 1_000),
}
_SINKS: Mapping[str, tuple[Callable[..., SinkSettings], Mapping[str, Check], str]] = {
    "alertmanager": (
        AlertmanagerSettings,
        {
            **_HTTP_KEYS,
            "resend_s": number(1, 3_600),
            "expires_after_s": number(60, 31_536_000),
            "mailbox_label": one_of("none", "pseudonym", "clear"),
            **_secret("pseudonym_key"),
            "generator_url": checks.url,
        },
        "url",
    ),
    "webhook": (WebhookSettings, {**_HTTP_KEYS, **_secret("secret")}, "url"),
    "syslog": (
        SyslogSettings,
        {
            "name": checks.name,
            "host": checks.host,
            "port": whole(1, 65_535),
            "transport": one_of("udp", "tcp", "tls"),
            "timeout_s": number(0.1, 300),
            "facility": one_of(*FACILITIES),
            "max_octets": whole(480, 65_000),
            "enterprise_number": whole(1, 2**32 - 1),
            **_TLS_KEYS,
        },
        "host",
    ),
    "jsonl": (FileSinkSettings, _FILE_KEYS, "path"),
    "ocsf": (FileSinkSettings, _FILE_KEYS, "path"),
}
"""By type: what it becomes, the checks of its keys, and the key that it can't be without."""

SINK_KEYS: Mapping[str, tuple[str, ...]] = {kind: tuple(keys) for kind, (_, keys, _) in _SINKS.items()}
"""By type of sink, the keys that it may have beside ``type``."""


def sinks(value: object) -> tuple[SinkSettings, ...]:
    """The rows of ``[[alerts.sink]]``, each with a name of its own."""
    rows = rows_of(value, "alerts.sink")
    sinks = tuple(_sink(index, row) for index, row in enumerate(rows))
    names = [each.name for each in sinks]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise RowError(index, f'has the name "{name}" of an earlier one: each needs a "name" of its own')
    return sinks


def _sink(index: int, row: Mapping[str, object]) -> SinkSettings:
    kind = row.get("type")
    if not isinstance(kind, str) or kind not in _SINKS:
        raise RowError(index, f'must have a "type", one of {", ".join(_SINKS)}')
    build, keys, needed = _SINKS[kind]
    checked = checked_row(index, {key: value for key, value in row.items() if key != "type"}, keys)
    if needed not in checked:
        raise RowError(index, f'lacks "{needed}"')
    if build is FileSinkSettings:
        checked["form"] = kind
    tls = {key: checked.pop(key) for key in _TLS_KEYS if key in checked}
    secrets = _secret_sources(index, checked)
    _check_together(index, checked, tls, secrets)
    return build(**{"name": kind} | checked | secrets | ({"tls": TlsSettings(**tls)} if tls else {}))


def _secret_sources(index: int, checked: dict[str, Any]) -> dict[str, SecretSource]:
    """Take ``x_file`` and ``x_variable`` out of *checked*, and make one place of each pair."""
    sources: dict[str, SecretSource] = {}
    for name in _SECRETS:
        file, variable = checked.pop(f"{name}_file", None), checked.pop(f"{name}_variable", None)
        if file is not None and variable is not None:
            raise RowError(index, f'must name one of "{name}_file" and "{name}_variable", not both')
        if file is not None or variable is not None:
            sources[name] = SecretSource(file, variable)
    return sources


def _check_together(
    index: int, checked: Mapping[str, Any], tls: Mapping[str, str], secrets: Mapping[str, SecretSource]
) -> None:
    """What no key can say alone."""
    if ("cert_file" in tls) != ("key_file" in tls):
        raise RowError(index, 'must name both "cert_file" and "key_file", or none')
    if ("username" in checked) != ("password" in secrets):
        raise RowError(index, 'must name both "username" and a password, by "password_file" or "password_variable"')
    if "token" in secrets and "password" in secrets:
        raise RowError(index, "must name a password or a token, not both")
    if (checked.get("mailbox_label") == "pseudonym") != ("pseudonym_key" in secrets):
        raise RowError(index, 'must name a "pseudonym_key_file" with mailbox_label = "pseudonym", and only then')
    if {"password", "token"} & secrets.keys() and urlsplit(checked["url"]).scheme == "http":
        host = urlsplit(checked["url"]).hostname
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise RowError(index, "must have a URL of https: a password or a token would go over the wire in clear")
