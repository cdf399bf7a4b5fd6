"""Settings: what is unknown or out of range is an error that names its place and what is allowed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.ledger import LIMITS as LEDGER_LIMITS
from sensor.pairing import LIMITS as PAIRING_LIMITS
from sensor.settings import Settings, SettingsError, load_settings

LIMITS = [("flows", "Flows followed at once.", 524_288), ("recipients", "Recipients kept.", 10_000)]


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "mailsensor.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(str(path), environment or {}, known_limits=LIMITS)


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[organisation]\ninternal_domain = ["a.b"]', [":2:", '"internal_domain"', 'did you mean "internal_domains"?']),
        ("\n[organization]\nx = 1", [":2:", '"organization"', 'did you mean "organisation"?']),
        ("[limits]\nflows = 1\n\nflow = 2", [":4:", '"flow"', 'did you mean "flows"?', "recipients"]),
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
    load_settings(str(sample), {}, known_limits=names)


def test_the_page_on_settings_names_every_key_and_every_limit_of_ledger_and_pairing() -> None:
    page = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, reason, default in (*LEDGER_LIMITS, *PAIRING_LIMITS):
        assert f"| `{name}` | {default:,} | {reason.rstrip('.')} |" in page
    for key in (
        "organisation.internal_domains",
        "organisation.internal_networks",
        "sensor.name",
        "replay.top_mailboxes",
    ):
        assert f"`{key}`" in page
