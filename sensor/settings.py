"""
Settings: one TOML file, then the environment, then the command line; the later speaks.

Whatever is unknown or out of range is an error that names the place and says what is allowed. Nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from sensor.errors import UserError
from sensor.model import Confidence, Level, Severity

ENVIRONMENT_PREFIX = "MAILSENSOR_"

Network = IPv4Network | IPv6Network
Limit = tuple[str, str, int]
DetectorOptions = Mapping[str, Mapping[str, tuple[float, float]]]
"""By detector, then option: the least and the greatest value allowed."""


class SettingsError(UserError):
    """A setting is wrong; the message says where it stands, what is wrong and what is allowed."""


class _RowSettingsError(SettingsError):
    """Of a list of tables, that number *index* is wrong."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True)
class OrganisationSettings:
    """The protected organisation. Without domains, no direction can be told."""

    internal_domains: tuple[str, ...] = ()
    internal_networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """``name`` tells the records of several sensors apart."""

    name: str = "mailsensor"


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """``top_mailboxes`` is how many mailboxes the summary names before it says "and N more"."""

    top_mailboxes: int = 20


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """
    How interfaces are captured. ``ports`` none: those of the core; an empty list: every frame is let through.

    ``ring_octets`` are those of one interface and worker. After ``block_timeout_ms`` at the latest, frames are shown.
    """

    interfaces: tuple[str, ...] = ()
    ports: tuple[int, ...] | None = None
    ring_octets: int = 67_108_864
    snap_octets: int = 262_144
    promiscuous: bool = True
    workers: int = 1
    block_timeout_ms: int = 50


@dataclass(frozen=True, slots=True)
class ArtifactSettings:
    """``row`` holds rows of the user's own for the artifact table, in their TOML form; the classifier checks them."""

    row: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """
    A forward that the organisation knows about: all parts given must hold, and it holds through the day ``expires``.
    """

    reason: str
    expires: date
    mailbox: str | None = None
    destination: str | None = None
    domain: str | None = None
    detector: str | None = None


@dataclass(frozen=True, slots=True)
class SeverityRule:
    """Findings that all parts given fit get ``severity``, or are moved up (or down) by ``steps``."""

    severity: Severity | None = None
    steps: int = 0
    detector: str | None = None
    mailbox: str | None = None
    destination: str | None = None
    domain: str | None = None
    level: Level | None = None
    confidence: Confidence | None = None


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


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """
    What is told of findings. Times are seconds of packet time, but for ``drain_s``: how long the end of a run waits
    for sinks that still take alerts.

    Detectors tell again of what goes on at least once a day, so ``resolve_after_s`` is never less than a day. A week
    carries an alert over a weekend and a holiday.
    """

    resolve_after_s: int = 604_800
    cool_down_s: int = 604_800
    min_severity: Severity = "low"
    max_alerts: int = 10_000
    spool_dir: str = ""
    spool_octets: int = 67_108_864
    spool_sync: bool = True
    drain_s: float = 5.0
    sinks: tuple[SinkSettings, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    rules: tuple[SeverityRule, ...] = ()
    allow: tuple[AllowEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSettings:
    """
    What `run` writes: files of records and of alerts, "" for none. ``drain_s`` bounds the time between SIGTERM and
    the last save.
    """

    records: str = ""
    alerts: str = ""
    alerts_format: str = "jsonl"
    drain_s: int = 10


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """
    Where `run` takes mail from beside interfaces: capture files read once, a folder that captures are put into.

    A file in the folder is read when nobody has written to it for ``settle_s`` seconds.
    """

    files: tuple[str, ...] = ()
    folder: str = ""
    settle_s: int = 10


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The file that `run` goes on from and saves to every ``checkpoint_s`` seconds; "" for none."""

    path: str = ""
    checkpoint_s: int = 5


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    The HTTP face. ``listen`` is ``host:port``, "" for none; ``config_file`` is a web config file in the format of
    Prometheus's exporter-toolkit, with certificates and users.
    """

    listen: str = "127.0.0.1:9465"
    config_file: str = ""
    allow_without_auth: bool = False
    allow_reload: bool = False
    connections: int = 64
    top_mailboxes: int = 50
    recent_records: int = 1_000


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Metrics name mailboxes by a pseudonym made with the key in ``key_file``, unless ``clear_labels``."""

    clear_labels: bool = False
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Everything that can be set. ``limits`` holds only those that are set, and so does ``detect``: by detector its
    options, and "enabled".
    """

    organisation: OrganisationSettings = OrganisationSettings()
    sensor: SensorSettings = SensorSettings()
    replay: ReplaySettings = ReplaySettings()
    live: LiveSettings = LiveSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    alerts: AlertSettings = AlertSettings()
    run: RunSettings = RunSettings()
    capture: CaptureSettings = CaptureSettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    privacy: PrivacySettings = PrivacySettings()
    detect: Mapping[str, Mapping[str, float | bool]] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


def load_settings(
    path: str | None,
    environment: Mapping[str, str],
    *,
    known_limits: Sequence[Limit],
    known_detectors: DetectorOptions | None = None,
    internal_domains: Sequence[str] = (),
    limit_options: Sequence[str] = (),
) -> Settings:
    """
    Settings from the file at *path* (none: no file), *environment*, and the options of the command line.

    *known_limits* names the limits that exist, *known_detectors* the detectors. Raises ``SettingsError``.
    """
    schema = _schema(known_limits, known_detectors or {})
    values: _Values = {section: {} for section in schema}
    if path is not None:
        _take_file(path, schema, values)
    _take_environment(environment, schema, values)
    if internal_domains:
        _take("--internal-domain", schema, values, "organisation", "internal_domains", list(internal_domains))
    for option in limit_options:
        name, equals, value = option.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f'--limit {option}: write it as NAME=VALUE, for example "--limit flows=100000"')
        _take(
            f"--limit {option}", schema, values, "limits", name.strip(), _from_text(value, schema["limits"].get(name))
        )
    return Settings(
        organisation=OrganisationSettings(**values["organisation"]),
        sensor=SensorSettings(**values["sensor"]),
        replay=ReplaySettings(**values["replay"]),
        live=LiveSettings(**values["live"]),
        artifacts=ArtifactSettings(**values["artifacts"]),
        alerts=AlertSettings(**{_ALERT_NAMES.get(key, key): value for key, value in values["alerts"].items()}),
        run=RunSettings(**values["run"]),
        capture=CaptureSettings(**values["capture"]),
        store=StoreSettings(**values["store"]),
        web=WebSettings(**values["web"]),
        privacy=PrivacySettings(**values["privacy"]),
        detect={name.removeprefix(_DETECT): set_ for name, set_ in values.items() if name.startswith(_DETECT) and set_},
        limits=values["limits"],
    )


# ---- what may be set: a check returns the value in force, or raises ValueError with the rule


def _text(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        raise ValueError("must be 1 to 63 letters, digits, dots, hyphens and underscores")
    return value


def _domains(value: object) -> tuple[str, ...]:
    rule = (
        'must be a list of domains such as ["corp.example", ".eu.corp.example"] (a leading dot takes in all below it)'
    )
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    for each in value:
        if not re.fullmatch(r"\.?[^\s@./:\[\]*]+(\.[^\s@./:\[\]*]+)*\.?", each):
            raise ValueError(f'{rule}; "{each}" is none')
    return tuple(each.lower() for each in value)


def _networks(value: object) -> tuple[Network, ...]:
    rule = 'must be a list of networks such as ["192.0.2.0/24", "2001:db8::/32"]'
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    try:
        return tuple(ip_network(each) for each in value)
    except ValueError as error:
        raise ValueError(f"{rule}; {error}") from None


def _interfaces(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(each, str) and re.fullmatch(r"[^\s/]{1,15}", each) for each in value
    ):
        raise ValueError('must be a list of interfaces such as ["eth1", "eth2"]')
    return tuple(dict.fromkeys(value))


def _ports(value: object) -> tuple[int, ...]:
    rule = "must be a list of up to 256 TCP ports such as [25, 587]; an empty list lets every frame through"
    if not isinstance(value, list) or len(value) > 256:
        raise ValueError(rule)
    try:
        return tuple(_whole(1, 65_535)(int(each) if isinstance(each, str) else each) for each in value)
    except ValueError:
        raise ValueError(rule) from None


def _tables(value: object) -> tuple[Mapping[str, object], ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each written as [[artifacts.row]] with the keys of docs/artifacts.md")
    return tuple(value)


def _whole(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least:,} to {most:,}".replace(",", "_"))
        return value

    return check


def _number(least: float, most: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a number from {least:,} to {most:,}".replace(",", "_"))
        return value

    return check


# ---- [alerts]: names of severities, tables of rules and of what is allowed

# In the file a table is named for one of its rows: [[alerts.rule]].
_ALERT_NAMES = {"rule": "rules", "sink": "sinks"}

# A star would be a wildcard that is none: matching is exact, and no mailbox in use has one.
_ADDRESS = r"[^\s@*]+@[^\s@/:*]+"
_DOMAIN = r"\.?[^\s@./:\[\]*]+(\.[^\s@./:\[\]*]+)*\.?"
MAX_REASON_CHARACTERS = 500


class _RowError(ValueError):
    """Row number *index* of a list of tables is wrong."""

    def __init__(self, index: int, rule: str) -> None:
        super().__init__(rule)
        self.index = index


def _one_of(*allowed: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return check


def _true_or_false(value: object) -> bool:
    if value is not True and value is not False:
        raise ValueError("must be true or false")
    return value is True


def _folder(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError('must be the path of a folder, or "" for none')
    return value


def _file(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError('must be the path of a file, or "" for none')
    return value


def _files(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each and "\0" not in each for each in value):
        raise ValueError('must be a list of paths such as ["/srv/captures/monday.pcap"]')
    return tuple(value)


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _listen(value: object) -> str:
    rule = 'must be an address and port such as "127.0.0.1:9465" or "[::1]:9465", or "" for none'
    if value == "":
        return ""
    if not isinstance(value, str) or not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+|localhost):[0-9]{1,5}", value):
        raise ValueError(rule)
    host, port = split_listen(value)
    try:
        ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(rule) from None
    if port > 65_535:
        raise ValueError(f"{rule}; ports end at 65535")
    return value


def _shaped(pattern: str, rule: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not value.isprintable() or not re.fullmatch(pattern, value):
            raise ValueError(rule)
        return value

    return check


def _reason(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_REASON_CHARACTERS or not text.isprintable():
        raise ValueError(f"must say why, in one line of 1 to {MAX_REASON_CHARACTERS} characters")
    return text


def _day(value: object) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day such as 2027-01-31") from None
    if not isinstance(value, date) or isinstance(value, datetime) or value.year < 1970:
        raise ValueError("must be a day such as 2027-01-31, the last one on which the entry holds")
    return value


_SEVERITY = _one_of(*get_args(Severity))
_DETECTOR = _shaped(r"[a-z][a-z0-9_]{0,62}", "must be the name of a detector such as new_forwarder")
_MATCHES: Mapping[str, Callable[[object], object]] = {
    "mailbox": _shaped(_ADDRESS, "must be an address such as ann@corp.example"),
    "destination": _shaped(_ADDRESS, "must be an address such as ann@partner.example"),
    "domain": _shaped(_DOMAIN, "must be a domain such as partner.example (.partner.example takes in all below it)"),
    "detector": _DETECTOR,
}
_ALLOW_KEYS = {**_MATCHES, "reason": _reason, "expires": _day}


def _severities(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(value):
        raise ValueError("must be a table of detectors with their severities")
    return {str(_DETECTOR(name)): _SEVERITY(severity) for name, severity in value.items()}


def _checked_row(
    index: int, row: Mapping[str, object], keys: Mapping[str, Callable[[object], object]]
) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, value in row.items():
        if key not in keys:
            raise _RowError(index, f'has an unknown key "{key}"{_meant(key, list(keys))}')
        try:
            checked[key] = keys[key](value)
        except ValueError as error:
            raise _RowError(index, f'has a wrong "{key}": it {error}') from None
    return checked


def _allow(value: object) -> tuple[AllowEntry, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each written as [[alerts.allow]]")
    return tuple(_allow_entry(index, row) for index, row in enumerate(value))


def allow_entry(row: Mapping[str, object], known_detectors: Collection[str] = ()) -> AllowEntry:
    """One entry of the allow-list from its keys, checked as in a file. Raises ``SettingsError``."""
    try:
        entries: tuple[AllowEntry, ...] = _naming(known_detectors, _allow)([dict(row)])
    except _RowError as error:
        raise SettingsError(f"the entry {error}") from None
    return entries[0]


def _allow_entry(index: int, row: Mapping[str, object]) -> AllowEntry:
    checked = _checked_row(index, row, _ALLOW_KEYS)
    for key in ("reason", "expires"):
        if key not in checked:
            raise _RowError(index, f'lacks "{key}": nothing is allowed without a reason and a last day')
    if not checked.keys() & _MATCHES.keys():
        raise _RowError(index, f"must name one of {', '.join(_MATCHES)}")
    if "destination" in checked and "domain" in checked:
        raise _RowError(index, "must not name both a destination and a domain: the address says its domain")
    return AllowEntry(**checked)


def _naming(known: Collection[str], check: Callable[[object], Any]) -> Callable[[object], Any]:
    """*check*, and that the detectors named are among the *known*, where those are: a typing error would do nothing."""

    def checked(value: object) -> Any:
        result = check(value)
        is_table = isinstance(result, Mapping)
        names = list(result) if is_table else [each.detector for each in result]
        for index, name in enumerate(names):
            if known and name is not None and name not in known:
                rule = f'names a detector that there is none of, "{name}"{_meant(name, list(known))}'
                raise ValueError(rule) if is_table else _RowError(index, rule)
        return result

    return checked


_RULE_KEYS = {
    **_MATCHES,
    "level": _one_of(*get_args(Level)),
    "confidence": _one_of(*get_args(Confidence)),
    "severity": _SEVERITY,
    "raise": _whole(1, 4),
    "lower": _whole(1, 4),
}


def _rules(value: object) -> tuple[SeverityRule, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each written as [[alerts.rule]]")
    return tuple(_severity_rule(index, row) for index, row in enumerate(value))


def _severity_rule(index: int, row: Mapping[str, object]) -> SeverityRule:
    checked = _checked_row(index, row, _RULE_KEYS)
    if len(checked.keys() & {"severity", "raise", "lower"}) != 1:
        raise _RowError(index, "must say one of severity, raise, lower")
    steps = checked.pop("raise", 0) - checked.pop("lower", 0)
    return SeverityRule(**checked, steps=steps)


# ---- [[alerts.sink]]: where alerts go


def _url(value: object) -> str:
    """An address of the web. A password in it would stand in the settings, so none may."""
    rule = "must be a URL such as https://alerts.corp.example:9093/, without a name, a password or a fragment in it"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(rule)
    try:
        parts = urlsplit(value)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(rule) from None
    if not known or "@" in parts.netloc or parts.fragment:
        raise ValueError(rule)
    return value


def _path(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be the path of a file")
    return value


def _host(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", value):
        return value
    try:
        return str(IPv6Address(str(value)))
    except ValueError:
        raise ValueError("must be a host name or an address, without a port") from None


# Variables of this prefix are settings, and one that is none is refused.
_VARIABLE = _shaped(
    rf"(?!{ENVIRONMENT_PREFIX})[A-Za-z_][A-Za-z0-9_]{{0,127}}",
    f"must be the name of an environment variable, which does not begin with {ENVIRONMENT_PREFIX}",
)
_ONE_LINE = _shaped(r"[^:]{1,255}", "must be 1 to 255 characters without a colon")
FACILITIES = tuple(
    """
    kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3
    local4 local5 local6 local7
""".split()
)
"""By number: RFC 5424 6.2.1, by the names in use."""


def _secret(name: str) -> dict[str, Callable[[object], object]]:
    return {f"{name}_file": _path, f"{name}_variable": _VARIABLE}


_SECRETS = ("password", "token", "secret", "pseudonym_key")
_TLS_KEYS: Mapping[str, Callable[[object], object]] = {"ca_file": _path, "cert_file": _path, "key_file": _path}
_HTTP_KEYS = {
    "name": _text,
    "url": _url,
    "timeout_s": _number(0.1, 300),
    "username": _ONE_LINE,
    **_secret("password"),
    **_secret("token"),
    **_TLS_KEYS,
}
_FILE_KEYS = {"name": _text, "path": _path, "rotate_octets": _whole(65_536, 2**40), "keep_files": _whole(0, 1_000)}
_SINKS: Mapping[str, tuple[Callable[..., SinkSettings], Mapping[str, Callable[[object], object]], str]] = {
    "alertmanager": (
        AlertmanagerSettings,
        {
            **_HTTP_KEYS,
            "resend_s": _number(1, 3_600),
            "expires_after_s": _number(60, 31_536_000),
            "mailbox_label": _one_of("none", "pseudonym", "clear"),
            **_secret("pseudonym_key"),
            "generator_url": _url,
        },
        "url",
    ),
    "webhook": (WebhookSettings, {**_HTTP_KEYS, **_secret("secret")}, "url"),
    "syslog": (
        SyslogSettings,
        {
            "name": _text,
            "host": _host,
            "port": _whole(1, 65_535),
            "transport": _one_of("udp", "tcp", "tls"),
            "timeout_s": _number(0.1, 300),
            "facility": _one_of(*FACILITIES),
            "max_octets": _whole(480, 65_000),
            "enterprise_number": _whole(1, 2**32 - 1),
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


def _sinks(value: object) -> tuple[SinkSettings, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each written as [[alerts.sink]]")
    sinks = tuple(_sink(index, row) for index, row in enumerate(value))
    names = [each.name for each in sinks]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _RowError(index, f'has the name "{name}" of an earlier one: each needs a "name" of its own')
    return sinks


def _sink(index: int, row: Mapping[str, object]) -> SinkSettings:
    kind = row.get("type")
    if not isinstance(kind, str) or kind not in _SINKS:
        raise _RowError(index, f'must have a "type", one of {", ".join(_SINKS)}')
    build, keys, needed = _SINKS[kind]
    checked = _checked_row(index, {key: value for key, value in row.items() if key != "type"}, keys)
    if needed not in checked:
        raise _RowError(index, f'lacks "{needed}"')
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
            raise _RowError(index, f'must name one of "{name}_file" and "{name}_variable", not both')
        if file is not None or variable is not None:
            sources[name] = SecretSource(file, variable)
    return sources


def _check_together(
    index: int, checked: Mapping[str, Any], tls: Mapping[str, str], secrets: Mapping[str, SecretSource]
) -> None:
    """What no key can say alone."""
    if ("cert_file" in tls) != ("key_file" in tls):
        raise _RowError(index, 'must name both "cert_file" and "key_file", or none')
    if ("username" in checked) != ("password" in secrets):
        raise _RowError(index, 'must name both "username" and a password, by "password_file" or "password_variable"')
    if "token" in secrets and "password" in secrets:
        raise _RowError(index, "must name a password or a token, not both")
    if (checked.get("mailbox_label") == "pseudonym") != ("pseudonym_key" in secrets):
        raise _RowError(index, 'must name a "pseudonym_key_file" with mailbox_label = "pseudonym", and only then')
    if {"password", "token"} & secrets.keys() and urlsplit(checked["url"]).scheme == "http":
        host = urlsplit(checked["url"]).hostname
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise _RowError(index, "must have a URL of https: a password or a token would go over the wire in clear")


_Check = Callable[[object], object]
_Schema = dict[str, dict[str, _Check]]
# By section, then key. What the checks let in fits the dataclasses above.
_Values = dict[str, dict[str, Any]]


# Each detector is a section of its own, [detect.NAME].
_DETECT = "detect."


def _schema(known_limits: Sequence[Limit], known_detectors: DetectorOptions) -> _Schema:
    detect: _Schema = {
        _DETECT + name: {"enabled": _true_or_false, **{option: _number(*bounds) for option, bounds in options.items()}}
        for name, options in known_detectors.items()
    }
    return {
        "organisation": {"internal_domains": _domains, "internal_networks": _networks},
        "sensor": {"name": _text},
        "replay": {"top_mailboxes": _whole(1, 1_000_000)},
        "live": {
            "interfaces": _interfaces,
            "ports": _ports,
            "ring_octets": _whole(262_144, 2_147_483_648),
            "snap_octets": _whole(64, 262_144),
            "promiscuous": _true_or_false,
            "workers": _whole(1, 64),
            "block_timeout_ms": _whole(1, 1_000),
        },
        "artifacts": {"row": _tables},
        "alerts": {
            "resolve_after_s": _whole(86_400, 31_536_000),
            "cool_down_s": _whole(0, 31_536_000),
            "min_severity": _SEVERITY,
            "max_alerts": _whole(1, 1_000_000),
            "spool_dir": _folder,
            "spool_octets": _whole(65_536, 2**40),
            "spool_sync": _true_or_false,
            "drain_s": _number(0, 3_600),
            "sink": _sinks,
            "severity": _naming(known_detectors, _severities),
            "rule": _naming(known_detectors, _rules),
            "allow": _naming(known_detectors, _allow),
        },
        "run": {
            "records": _file,
            "alerts": _file,
            "alerts_format": _one_of("jsonl", "ocsf"),
            "drain_s": _whole(1, 600),
        },
        "capture": {"files": _files, "folder": _folder, "settle_s": _whole(0, 3_600)},
        "store": {"path": _file, "checkpoint_s": _whole(1, 3_600)},
        "web": {
            "listen": _listen,
            "config_file": _file,
            "allow_without_auth": _true_or_false,
            "allow_reload": _true_or_false,
            "connections": _whole(2, 1_000),
            "top_mailboxes": _whole(0, 1_000),
            "recent_records": _whole(0, 100_000),
        },
        "privacy": {"clear_labels": _true_or_false, "key_file": _file},
        # Any larger number would not fit a machine's memory, whatever the limit counts.
        "limits": {name: _whole(1, 2**40) for name, _, _ in known_limits},
        **detect,
    }


# ---- where values come from


def _take_file(path: str, schema: _Schema, values: _Values) -> None:
    text = _read(path)
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # also for a number of thousands of digits, which Python does not convert
        raise SettingsError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: not TOML: nested too deep") from None
    for section, content in _sections(document):
        at = f"{path}:{_line_of(text, section, None)}"
        if section not in schema:
            raise SettingsError(f'{at}: unknown section "{section}"{_meant(section, list(schema))}')
        if not isinstance(content, dict):
            raise SettingsError(f"{at}: [{section}] must be a table with keys of its own")
        for key, value in content.items():
            try:
                _take(f"{path}:{_line_of(text, section, key)}", schema, values, section, key, value)
            except _RowSettingsError as error:
                raise SettingsError(f"{path}:{_line_of(text, section, key, error.index)}: {error}") from None


def _sections(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The tables of a file; those in [detect] each by itself."""
    for section, content in document.items():
        if f"{section}." == _DETECT and isinstance(content, dict):
            yield from ((_DETECT + name, each) for name, each in content.items())
        else:
            yield section, content


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: settings file not read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not TOML: octet {error.start} is not UTF-8") from None


def _take_environment(environment: Mapping[str, str], schema: _Schema, values: _Values) -> None:
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        told = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        at = f"environment variable {name}"
        section = next((each for each in schema if told.startswith(_variable(each))), None)
        if section is None:
            names = [f"{ENVIRONMENT_PREFIX}{_variable(each).upper()}..." for each in schema]
            raise SettingsError(f"{at}: there is no such setting; they are named {', '.join(names)}")
        key = told.removeprefix(_variable(section))
        _take(at, schema, values, section, key, _from_text(environment[name], schema[section].get(key)))


def _variable(section: str) -> str:
    """What the names of a section's variables begin with, in lower case and without the prefix of all."""
    return section.replace(".", "_") + "_"


def _take(at: str, schema: _Schema, values: _Values, section: str, key: str, value: object) -> None:
    check = schema[section].get(key)
    if check is None:
        raise SettingsError(f'{at}: unknown key "{key}" in [{section}]{_meant(key, list(schema[section]))}')
    try:
        values[section][key] = check(value)
    except _RowError as error:
        raise _RowSettingsError(error.index, f"[[{section}.{key}]] number {error.index + 1} {error}") from None
    except ValueError as error:
        raise SettingsError(f"{at}: {section}.{key} {error}; it is {value!r}") from None


def _from_text(text: str, check: _Check | None) -> object:
    """
    A value out of an environment variable or option: lists are separated by commas, numbers are written as in TOML.
    """
    if check in (_domains, _networks, _interfaces, _ports, _files):
        return [part.strip() for part in text.split(",") if part.strip()]
    # Beyond some thousand digits Python refuses to convert; what is longer than any number in use stays text.
    if check is not _text and re.fullmatch(r"[0-9][0-9_]{0,99}", text.strip()):
        return int(text.strip())
    if check is not _text and re.fullmatch(r"[0-9]{1,20}\.[0-9]{1,20}", text.strip()):
        return float(text.strip())
    if check is _true_or_false and text.strip() in ("true", "false"):
        return text.strip() == "true"
    return text


def _meant(name: str, allowed: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ";"
    return f"{hint} allowed: {', '.join(allowed)}"


def _line_of(text: str, section: str, key: str | None, index: int = 0) -> int:
    """
    The line on which a section or key stands, 1 where it can't be found (tomllib tells no places).

    Of a key that is a table of its own (``[section.key]``), the line of its head; of a list of them, that of *index*.
    """
    inside, tables = False, 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        if header is not None:
            path = [part.strip(" \t\"'") for part in header[1].split(".")]
            inside = ".".join(path) == section
            if key is None and section in (path[0], ".".join(path[:2])):
                return number
            if path == [section, key]:
                tables += 1
                if tables > index:
                    return number
        name = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*(?:\.\s*[\"']?([\w-]+)[\"']?\s*)?=", line)
        if name is None:
            continue
        here = (section, name[1]) if inside else (name[1], name[2])
        if here == (section, key) or (key is None and here[0] == section and not inside):
            return number
    return 1
