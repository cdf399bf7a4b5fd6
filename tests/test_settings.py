"""Settings: what is unknown or out of range is an error that names its place and what is allowed."""

import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor import settings as settings_package
from sensor.detect import LIMITS as DETECT_LIMITS
from sensor.detect import known_options
from sensor.ledger import LIMITS as LEDGER_LIMITS
from sensor.pairing import LIMITS as PAIRING_LIMITS
from sensor.settings import (
    SINK_KEYS,
    AlertmanagerSettings,
    FileSinkSettings,
    SecretSource,
    Settings,
    SettingsError,
    SyslogSettings,
    TlsSettings,
    WebhookSettings,
    load_settings,
)
from sensor.settings.sections import SECTIONS

DETECTORS = {
    "new_forwarder": {"learning_hours": (0.0, 100.0)},
    "silent_copy": {"least": (2.0, 9.0)},
    "archive_sent": {},
}
LIMITS = [("flows", "Flows followed at once.", 524_288), ("recipients", "Recipients kept.", 10_000)]


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "mailsensor.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(str(path), environment or {}, known_limits=LIMITS, known_detectors=DETECTORS)


def test_without_a_file_the_defaults_hold() -> None:
    settings = load_settings(None, {"PATH": "/bin"}, known_limits=LIMITS)
    assert settings == Settings(limits={})
    assert settings.sensor.name == "mailsensor"


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [organisation]
        internal_domains = ["Corp.example", ".eu.corp.example"]
        internal_networks = ["192.0.2.0/24", "2001:db8::/32"]
        [sensor]
        name = "span-1"
        [replay]
        top_mailboxes = 5
        [limits]
        flows = 1_000
        """,
    )
    assert settings.organisation.internal_domains == ("corp.example", ".eu.corp.example")
    assert [str(network) for network in settings.organisation.internal_networks] == ["192.0.2.0/24", "2001:db8::/32"]
    assert (settings.sensor.name, settings.replay.top_mailboxes, settings.limits) == ("span-1", 5, {"flows": 1_000})


def test_how_interfaces_are_captured_is_set_by_file_or_environment(tmp_path: Path) -> None:
    text = '[live]\ninterfaces = ["eth1", "eth2", "eth1"]\nports = [25, 2525]\nworkers = 2\npromiscuous = false'
    live = load(tmp_path, text).live
    assert (live.interfaces, live.ports, live.workers, live.promiscuous) == (("eth1", "eth2"), (25, 2525), 2, False)
    by_variable = {"MAILSENSOR_LIVE_INTERFACES": "eth3, eth4", "MAILSENSOR_LIVE_PORTS": ""}
    live = load(tmp_path, text, by_variable).live
    assert (live.interfaces, live.ports) == (("eth3", "eth4"), ())
    assert load(tmp_path, "").live.ports is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[organisation]\ninternal_domain = ["a.b"]', [":2:", '"internal_domain"', 'did you mean "internal_domains"?']),
        ("\n[organization]\nx = 1", [":2:", '"organization"', 'did you mean "organisation"?']),
        ("[limits]\nflows = 1\n\nflow = 2", [":4:", '"flow"', 'did you mean "flows"?', "recipients"]),
        ("[live]\nports = [0]", [":2:", "live.ports", "up to 256 TCP ports"]),
        ('[live]\nports = ["smtp"]', [":2:", "up to 256 TCP ports"]),
        ('[live]\ninterfaces = ["eth1", "a-name-longer-than-any"]', [":2:", "list of interfaces"]),
        ("[live]\nring_octets = 1", [":2:", "262_144"]),
        ("[limits]\nflows = 0", [":2:", "limits.flows", "whole number from 1"]),
        ("[limits]\nflows = true", [":2:", "whole number"]),
        ('[limits]\nflows = "many"', [":2:", "whole number", "'many'"]),
        ('[organisation]\ninternal_domains = "corp.example"', [":2:", "list of domains"]),
        ('[organisation]\ninternal_domains = ["ann@corp.example"]', [":2:", "ann@corp.example"]),
        ('[organisation]\ninternal_domains = ["*.corp.example"]', [":2:", "leading dot"]),
        ('[organisation]\ninternal_networks = ["192.0.2.7/24"]', [":2:", "host bits"]),
        ('[sensor]\nname = "a b"', [":2:", "sensor.name", "letters"]),
        ('sensor.nam = "x"', [":1:", '"nam"', 'did you mean "name"?']),
        ("sensor = 3", [":1:", "must be a table"]),
        ("[limits\nflows = 1", ["not TOML", "line 1"]),
        ("[replay]\ntop_mailboxes = -1", [":2:", "from 1"]),
        ("\n[detect.new_forwader]\n", [":2:", '"detect.new_forwader"', 'did you mean "detect.new_forwarder"?']),
        ("[detect.silent_copy]\nlest = 3", [":2:", "[detect.silent_copy]", 'did you mean "least"?']),
        ("[detect.silent_copy]\n\nleast = 1", [":3:", "detect.silent_copy.least", "number from 2"]),
        ("[detect.silent_copy]\nleast = true", [":2:", "number from 2"]),
        ("[detect.silent_copy]\nenabled = 1", [":2:", "true or false"]),
        ("detect.silent_copy.least = nan", ["number from 2"]),
        ("[detect]\nsilent_copy = 3", [":1:", "must be a table"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, text)
    message = str(raised.value)
    assert "mailsensor.toml" in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: settings file not read"):
        load_settings(str(tmp_path / "nowhere.toml"), {}, known_limits=LIMITS)
    (tmp_path / "image").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(SettingsError, match="octet 0 is not UTF-8"):
        load_settings(str(tmp_path / "image"), {}, known_limits=LIMITS)


def test_the_environment_outranks_the_file_and_the_command_line_both(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[organisation]\ninternal_domains = ["file.example"]\n[limits]\nflows = 1\nrecipients = 1\n')
    environment = {
        "MAILSENSOR_ORGANISATION_INTERNAL_DOMAINS": "env.example, .env2.example",
        "MAILSENSOR_LIMITS_FLOWS": "2_0",
    }
    settings = load_settings(str(path), environment, known_limits=LIMITS)
    assert settings.organisation.internal_domains == ("env.example", ".env2.example")
    assert settings.limits == {"flows": 20, "recipients": 1}
    settings = load_settings(
        str(path), environment, known_limits=LIMITS, internal_domains=["cli.example"], limit_options=["flows=3"]
    )
    assert settings.organisation.internal_domains == ("cli.example",)
    assert settings.limits == {"flows": 3, "recipients": 1}


def test_detectors_are_set_each_in_a_section_of_its_own(tmp_path: Path) -> None:
    text = "[detect.new_forwarder]\nlearning_hours = 1.5\n[detect.silent_copy]\nenabled = false"
    environment = {"MAILSENSOR_DETECT_SILENT_COPY_LEAST": "4", "MAILSENSOR_DETECT_NEW_FORWARDER_ENABLED": "true"}
    assert load(tmp_path, text).detect == {"new_forwarder": {"learning_hours": 1.5}, "silent_copy": {"enabled": False}}
    assert load(tmp_path, text, environment).detect == {
        "new_forwarder": {"learning_hours": 1.5, "enabled": True},
        "silent_copy": {"enabled": False, "least": 4},
    }
    assert load(tmp_path, "[organisation]").detect == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAILSENSOR_LIMITS_FLOW", "1", ["MAILSENSOR_LIMITS_FLOW", 'did you mean "flows"?']),
        ("MAILSENSOR_LIMITS_FLOWS", "x", ["MAILSENSOR_LIMITS_FLOWS", "whole number"]),
        ("MAILSENSOR_DOMAINS", "x", ["MAILSENSOR_DOMAINS", "MAILSENSOR_ORGANISATION_"]),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(None, {name: value}, known_limits=LIMITS)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("option", ["flows", "flow=3", "flows=", "flows=-1", "=3"])
def test_a_wrong_limit_option_is_named(option: str) -> None:
    with pytest.raises(SettingsError, match="--limit"):
        load_settings(None, {}, known_limits=LIMITS, limit_options=[option])


@given(st.text())
def test_any_text_gives_settings_or_one_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("settings") / "s.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load_settings(str(path), {}, known_limits=LIMITS)
    except SettingsError as error:
        assert "s.toml" in str(error)  # noqa: PT017 - no error is as good an answer


def test_the_sample_file_is_valid() -> None:
    sample = Path(__file__).parent.parent / "deploy" / "mailsensor.toml"
    names = [("flows", "", 1), ("ledger_mailboxes", "", 1)]
    load_settings(str(sample), {}, known_limits=names, known_detectors=known_options())


def test_the_page_on_settings_names_every_key_and_every_limit_of_our_own() -> None:
    page = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, reason, default in (*LEDGER_LIMITS, *DETECT_LIMITS, *PAIRING_LIMITS):
        assert f"| `{name}` | {default:,} | {reason.rstrip('.')} |" in page
    for key in (
        "organisation.internal_domains",
        "organisation.internal_networks",
        "sensor.name",
        "replay.top_mailboxes",
    ):
        assert f"`{key}`" in page


# ---- alerts: rules and what is allowed

ALERTS = """
[alerts]
cool_down_s = 3_600
min_severity = "medium"
spool_dir = "/var/spool/mailsensor"
spool_sync = false

[alerts.severity]
archive_sent = "critical"

[[alerts.rule]]
domain = ".partner.example"
lower = 2

[[alerts.rule]]
detector = "new_forwarder"
level = "admin"
severity = "high"

[[alerts.allow]]
mailbox = "Fay@corp.example"
destination = "fay@home.example"
reason = " HR case 12 "
expires = 2027-01-31
"""


def test_alert_settings_are_read(tmp_path: Path) -> None:
    alerts = load(tmp_path, ALERTS).alerts
    assert (alerts.cool_down_s, alerts.min_severity, alerts.spool_sync) == (3_600, "medium", False)
    assert alerts.resolve_after_s == 604_800
    assert alerts.severity == {"archive_sent": "critical"}
    assert [(rule.steps, rule.severity) for rule in alerts.rules] == [(-2, None), (0, "high")]
    (entry,) = alerts.allow
    assert (entry.mailbox, entry.reason, entry.expires) == ("Fay@corp.example", "HR case 12", date(2027, 1, 31))


ALLOW = '[[alerts.allow]]\nmailbox = "a@b.example"\nreason = "x"\nexpires = 2027-01-31\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[alerts]\ncooldown_s = 1", [":2:", "unknown key", 'did you mean "cool_down_s"?']),
        ("[alerts]\nresolve_after_s = 60", [":2:", "from 86_400"]),
        ('[alerts]\nmin_severity = "hgh"', [":2:", "informational, low, medium, high, critical", "'hgh'"]),
        ("[alerts]\nspool_sync = 1", [":2:", "true or false"]),
        ("\n[alerts.severity]\nArchive = 'high'", [":2:", "name of a detector"]),
        ("\n[alerts.severity]\narchiv_sent = 'high'", [":2:", '"archiv_sent"', "archive_sent"]),
        ("[[alerts.rule]]\ndetector = 'nobody'\nlower = 1", [":1:", "an unknown detector"]),
        ("\n[alerts.severity]\narchive_sent = 'worst'", [":2:", "must be one of"]),
        (ALLOW + "\n" + ALLOW.replace("reason", "reson"), [":6:", "number 2", 'did you mean "reason"?']),
        (ALLOW.replace('reason = "x"\n', ""), [":1:", 'lacks "reason"', "a reason and a last day"]),
        (ALLOW.replace("expires = 2027-01-31\n", ""), [":1:", 'lacks "expires"']),
        (ALLOW.replace('"x"', '" "'), [":1:", "must say why"]),
        (ALLOW.replace("2027-01-31", '"31.1.2027"'), [":1:", "a day such as"]),
        (ALLOW.replace("2027-01-31", "2027-01-31T00:00:00Z"), [":1:", "a day such as"]),
        (ALLOW.replace("a@b.example", "*@b.example"), [":1:", "number 1"]),
        (ALLOW.replace("a@b.example", "b.example"), [":1:", "an address such as"]),
        (ALLOW.replace("mailbox", "detector"), [":1:", "name of a detector"]),
        ('[[alerts.allow]]\nreason = "x"\nexpires = 2027-01-31', [":1:", "must name one of"]),
        ("[alerts]\nallow = 1", [":2:", "[[alerts.allow]]"]),
        ("[[alerts.rule]]\nlower = 1\nraise = 1", [":1:", "one of severity, raise, lower"]),
        ("[[alerts.rule]]\nlevel = 'root'\nraise = 1", [":1:", "user, admin, either, unknown"]),
    ],
)
def test_what_is_wrong_of_alerts_is_named_with_its_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, text)
    for word in words:
        assert word in str(error.value)


def test_alert_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    alerts = load(tmp_path, ALERTS, {"MAILSENSOR_ALERTS_COOL_DOWN_S": "60"}).alerts
    assert alerts.cool_down_s == 60


# ---- alerts: where they go

SINKS = """
[alerts]
drain_s = 2.5

[[alerts.sink]]
type = "alertmanager"
url = "https://alerts.corp.example:9093/base"
ca_file = "/etc/mailsensor/ca.pem"
username = "sensor"
password_file = "/etc/mailsensor/password"
resend_s = 30
mailbox_label = "pseudonym"
pseudonym_key_variable = "ALERT_LABEL_KEY"

[[alerts.sink]]
type = "webhook"
name = "soar"
url = "http://127.0.0.1:8080/in?team=1"
secret_file = "/etc/mailsensor/soar"

[[alerts.sink]]
type = "syslog"
host = "2001:db8::1"
transport = "tcp"
facility = "authpriv"

[[alerts.sink]]
type = "ocsf"
path = "/var/log/mailsensor/alerts.ocsf"
rotate_octets = 1_000_000
"""


def test_sinks_are_read_each_as_what_it_is(tmp_path: Path) -> None:
    alerts = load(tmp_path, SINKS).alerts
    assert alerts.drain_s == 2.5
    assert alerts.sinks == (
        AlertmanagerSettings(
            name="alertmanager",
            url="https://alerts.corp.example:9093/base",
            tls=TlsSettings(ca_file="/etc/mailsensor/ca.pem"),
            username="sensor",
            password=SecretSource(file="/etc/mailsensor/password"),
            resend_s=30,
            mailbox_label="pseudonym",
            pseudonym_key=SecretSource(variable="ALERT_LABEL_KEY"),
        ),
        WebhookSettings(
            name="soar", url="http://127.0.0.1:8080/in?team=1", secret=SecretSource(file="/etc/mailsensor/soar")
        ),
        SyslogSettings(name="syslog", host="2001:db8::1", transport="tcp", facility="authpriv"),
        FileSinkSettings(name="ocsf", form="ocsf", path="/var/log/mailsensor/alerts.ocsf", rotate_octets=1_000_000),
    )


HOOK = '[[alerts.sink]]\ntype = "webhook"\nurl = "https://hooks.example/in"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[alerts.sink]]\nurl = "https://a.example"', [":1:", '"type"', "alertmanager, webhook, syslog, jsonl, ocsf"]),
        ('[[alerts.sink]]\ntype = "email"', [":1:", '"type"']),
        ("[alerts]\nsink = 1", [":2:", "[[alerts.sink]]"]),
        ("[alerts]\ndrain_s = -1", [":2:", "from 0"]),
        (HOOK + "\n" + HOOK, [":5:", "number 2", '"webhook"', '"name" of its own']),
        (HOOK + 'urll = "x"', [":1:", 'did you mean "url"?']),
        ('[[alerts.sink]]\ntype = "webhook"', [":1:", 'lacks "url"']),
        ('[[alerts.sink]]\ntype = "syslog"', [":1:", 'lacks "host"']),
        ('[[alerts.sink]]\ntype = "jsonl"', [":1:", 'lacks "path"']),
        (HOOK.replace("https://", "ftp://"), [":1:", '"url"', "must be a URL such as"]),
        (HOOK.replace("hooks", "hooks.example:99999"), ['"url"']),
        (HOOK + "timeout_s = 0", ["number from 0.1"]),
        (HOOK + 'secret = "x"', ['unknown key "secret"', "secret_file"]),
        (HOOK + 'secret_file = "a"\nsecret_variable = "B"', ["not both"]),
        (HOOK + 'secret_variable = "MAILSENSOR_X"', ["does not begin with MAILSENSOR_"]),
        (HOOK + 'username = "ann"', ['"username" and a password']),
        (HOOK + 'cert_file = "a"', ['"cert_file" and "key_file"']),
        (HOOK + 'token_file = "a"\nusername = "ann"\npassword_file = "b"', ["a password or a token"]),
        (HOOK.replace("https", "http") + 'token_file = "a"', ["must have a URL of https"]),
        (HOOK.replace("webhook", "alertmanager") + 'mailbox_label = "pseudonym"', ['"pseudonym_key_file"']),
        (HOOK.replace("webhook", "alertmanager") + 'mailbox_label = "full"', ["none, pseudonym, clear"]),
        ('[[alerts.sink]]\ntype = "syslog"\nhost = "a.example"\ntransport = "sctp"', ["udp, tcp, tls"]),
        ('[[alerts.sink]]\ntype = "syslog"\nhost = "a.example:514"', ["without a port"]),
        ('[[alerts.sink]]\ntype = "syslog"\nhost = 7.5', ["without a port"]),
        ('[[alerts.sink]]\ntype = "syslog"\nhost = "a b"', ["without a port"]),
        ('[[alerts.sink]]\ntype = "syslog"\nhost = "a"\nfacility = "local8"', ["local7"]),
        ('[[alerts.sink]]\ntype = "syslog"\nhost = "a"\nmax_octets = 100', ["from 480"]),
    ],
)
def test_what_is_wrong_of_a_sink_is_named_with_its_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, text)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("url", ["https://ann:PLANTED@hooks.example/", "https://PLANTED@hooks.example/"])
def test_a_password_in_a_url_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="without a name, a password") as error:
        load(tmp_path, HOOK.replace("https://hooks.example/in", url))
    assert "PLANTED" not in str(error.value)


def test_the_page_on_sinks_names_every_key_of_every_type() -> None:
    page = (Path(__file__).parent.parent / "docs" / "sinks.md").read_text(encoding="utf-8")
    for kind, keys in SINK_KEYS.items():
        assert f"`{kind}`" in page
        for key in keys:
            assert f"`{key}`" in page, f"{kind}.{key}"


def test_every_section_has_a_file_an_entry_and_a_field() -> None:
    package = Path(settings_package.__file__).parent
    ours = "(?m)^[A-Z]+ = Section\\("
    files = {path.stem for path in package.glob("*.py") if re.search(ours, path.read_text(encoding="utf-8"))}
    names = [section.name for section in SECTIONS]
    assert files == set(names)
    assert [each.name for each in fields(Settings)] == [*names, "detect", "limits"]
    for section in SECTIONS:
        built = section.settings({})
        assert built == getattr(Settings(), section.name)
        in_settings = {section.fields.get(key, key) for key in [*section.keys, *section.naming]}
        assert in_settings == {each.name for each in fields(built)}
