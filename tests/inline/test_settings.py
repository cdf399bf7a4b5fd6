"""What may be set of verdicts: a rule that could not be followed as it stands is an error that says where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.settings import InlineRule, InlineSettings, SettingsError, load_settings

RULES = """
[inline]
dry_run = true
on_failure = "closed"
verdict_timeout_ms = 20
tag_header = "X-Corp-Forward"

[[inline.rule]]
name = "partners"
action = "observe"
destinations = ["Partner.example", ".lab.example", "ann@home.example"]

[[inline.rule]]
action = "reject"
kind = "auto"
level = ["user", "either"]
evidence = ["conclusive", "strong"]
direction = "outbound"
mailboxes = ["corp.example"]
text = "Ask the help desk"
enhanced = "5.7.26"
look_alikes = true
dry_run = true

[[inline.rule]]
action = "defer"
code = 450
"""


def load(tmp_path: Path, text: str) -> InlineSettings:
    path = tmp_path / "sensor.toml"
    path.write_text(text)
    return load_settings(str(path), {}, known_limits=[]).inline


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    assert load(tmp_path, RULES) == InlineSettings(
        rules=(
            InlineRule(
                name="partners", action="observe", destinations=("partner.example", ".lab.example", "ann@home.example")
            ),
            InlineRule(
                name="rule-2",
                action="reject",
                kinds=("auto",),
                levels=("user", "either"),
                evidence=("conclusive", "strong"),
                directions=("outbound",),
                mailboxes=("corp.example",),
                look_alikes=True,
                reply=(550, "5.7.26", "Ask the help desk"),
                dry_run=True,
            ),
            InlineRule(
                name="rule-3",
                action="defer",
                reply=(450, "4.7.1", "Forwarding this mail is held back here, try again later"),
            ),
        ),
        dry_run=True,
        on_failure="closed",
        verdict_timeout_ms=20,
        tag_header="X-Corp-Forward",
    )


def test_without_settings_mail_is_observed(tmp_path: Path) -> None:
    assert load(tmp_path, "") == InlineSettings()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("kind = 'auto'", ['lacks "action"', "quarantine"]),
        ("action = 'drop'", ['wrong "action"', "observe, tag, defer, reject, quarantine"]),
        ("action = 'tag'\nkind = 'automatic'", ['wrong "kind"', "none, auto, visible, both"]),
        ("action = 'tag'\nkind = []", ['wrong "kind"']),
        ("action = 'tag'\ndestination = ['x']", ['unknown key "destination"', 'mean "destinations"']),
        ("action = 'tag'\ndestinations = ['*']", ['"*" is neither']),
        ("action = 'tag'\ndestinations = []", ['wrong "destinations"']),
        ("action = 'tag'\ntext = 'x'", ["only reject and defer answer"]),
        ("action = 'reject'\ncode = 451", ["must answer 5xx and 5.7.x"]),
        ("action = 'reject'\nenhanced = '4.7.1'", ["must answer 5xx and 5.7.x"]),
        ("action = 'defer'\ncode = 550", ["must answer 4xx and 4.7.x"]),
        ("action = 'defer'\ncode = 421", ["must not answer 421"]),
        ("action = 'reject'\nenhanced = '5.1.1'", ['wrong "enhanced"']),
        ("action = 'reject'\ntext = \"a\\r\\n250 ok\"", ['wrong "text"']),
        ("action = 'reject'\ntext = 'nö'", ['wrong "text"']),
        (f"action = 'reject'\ntext = '{'x' * 401}'", ['wrong "text"']),
        ("action = 'tag'\nname = 'a b'", ['wrong "name"']),
        ("action = 'tag'\nname = 'a'\n[[inline.rule]]\naction = 'tag'\nname = 'a'", ['the name "a" of an earlier one']),
    ],
)
def test_what_is_wrong_of_a_rule_is_named_with_its_line(tmp_path: Path, rule: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, f"[[inline.rule]]\n{rule}")
    for word in ["sensor.toml:", "[[inline.rule]] number", *words]:
        assert word in str(refused.value)


@pytest.mark.parametrize("name", ["From", "Received", "X-", "X-a b", "X-ö", "X-A:", "x" * 99, "DKIM-Signature"])
def test_a_header_field_that_mail_needs_is_no_tag(tmp_path: Path, name: str) -> None:
    """It would be taken out of every mail."""
    with pytest.raises(SettingsError, match="begins with X-"):
        load(tmp_path, f'[inline]\ntag_header = "{name}"')


def test_rules_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at most 100"):
        load(tmp_path, '[[inline.rule]]\naction = "tag"\n' * 101)


def test_the_page_names_every_key() -> None:
    from sensor.settings.inline import _RULE_KEYS, INLINE

    pages = Path(__file__).parent.parent.parent / "docs"
    inline, settings = (pages / "inline.md").read_text(), (pages / "settings.md").read_text()
    for key in _RULE_KEYS:
        assert f"`{key}`" in inline, key
    for key in INLINE.keys:
        assert f"`inline.{key}`" in settings, key
