"""Next steps: for the level, the detector and the mail system; and no mailbox name becomes a command."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert.advice import NAMES, Step, mitigations_for, platform_of, platform_title, steps_for, table
from sensor.alert.quoting import command, names_in, quoted
from sensor.model import Artifact, Exhibit, Finding
from tests.alert.findings import NOW_MS, finding

ROOT = Path(__file__).parent.parent.parent
PLATFORMS = [row.slug for row in table().platform]
# Rows of the artifact table that tell of a person's hand, of structure or of a service that is nobody's mail server.
TELL_NO_PLATFORM = re.compile(
    r"chasquid_|improvmx_|owner_suffix|orcpt_|forwarding_refused|loop_guard|mailru_|yandex_|proton_|yahoo_|mail_fwd_by|"
    r"x400_|auto_submitted|simplelogin_|sent_by_|received_for_|recipient_unaddressed|null_sender|forwarded_message_id|"
    r"resent_by_hand|meeting_forward|subject_|thread_topic|\w+_separator|thunderbird_|quoted_block|attached_|"
    r"google_forwarded_encrypted|multiple_|inline_|arc_later_set|sender_rewritten|authors_signature|redirected_by_hand|"
    r"thread_|notes_separator|fastmail_|kopano_|hmailserver_|communigate_"
)


def marked(*slugs: str, **other: object) -> Finding:
    exhibits = tuple(
        Exhibit(transaction_id=str(n), at_ms=NOW_MS, lines=(Artifact(slug=slug, field="X", value="y"),))
        for n, slug in enumerate(slugs)
    )
    return finding(exhibits=exhibits, **other)  # type: ignore[arg-type]


def commands(steps: tuple[Step, ...]) -> str:
    return "\n".join(each for step in steps for each in step.commands)


def artifact_slugs() -> set[str]:
    tables = tomllib.loads((ROOT / "sensor" / "classify" / "artifacts.toml").read_text())
    return {row["slug"] for rows in tables.values() if isinstance(rows, list) for row in rows if "slug" in row}


def test_every_mark_tells_a_mail_system_or_is_known_to_tell_none() -> None:
    told = {slug for row in table().platform for slug in row.artifacts}
    assert told <= artifact_slugs()
    assert {slug for slug in artifact_slugs() - told if not TELL_NO_PLATFORM.match(slug)} == set()


def test_every_row_uses_names_that_exist_and_platforms_that_exist() -> None:
    for row in table().step:
        assert row.platform in (*PLATFORMS, "any", "unknown")
        assert {name for each in row.commands for name in names_in(each)} <= set(NAMES)
        assert row.source or row.platform == "any", row.title
        assert (row.shell == "text") is (not row.commands), row.title


@pytest.mark.parametrize(
    ("slugs", "platform"),
    [
        (["exchange_inbox_rules_loop"], "exchange"),
        (["google_caf", "google_forwarded_for"], "gmail"),
        (["sieve_redirected_from", "srs0", "sieve_pigeonhole"], "dovecot"),
        (["cyrus_sieve_redirect"], "cyrus"),
        (["zimbra_forwarded"], "zimbra"),
        (["cpanel_forwarder"], "cpanel"),
        (["delivered_to"], "postfix"),
        (["subject_forward"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_mail_system_is_told_from_the_marks(slugs: list[str], platform: str) -> None:
    assert platform_of(marked(*slugs)) == platform


def test_the_order_of_evidence_does_not_matter() -> None:
    assert platform_of(marked("srs0", "google_caf")) == platform_of(marked("google_caf", "srs0"))


@pytest.mark.parametrize("level", ["user", "admin", "either", "unknown"])
@pytest.mark.parametrize("slug", [row.artifacts[0] for row in table().platform] + ["subject_forward"])
def test_every_level_on_every_mail_system_has_something_to_run(slug: str, level: str) -> None:
    steps = steps_for(marked(slug, level=level), "a1")
    own = [step for step in steps if step.platform != "any"]
    assert own
    assert any(step.commands for step in own)


def test_user_and_administrator_are_looked_for_in_different_places() -> None:
    user, admin = (
        commands(steps_for(marked("exchange_inbox_rules_loop", level=level), "a1")) for level in ("user", "admin")
    )
    assert "Get-InboxRule -Mailbox 'fay@corp.example' -IncludeHidden" in user
    assert "Get-TransportRule" not in user
    assert "Get-TransportRule" in admin
    assert "Get-InboxRule" not in admin


def test_audit_logs_are_searched_from_before_the_first_forward() -> None:
    assert "-StartDate '2026-11-15' -EndDate '2026-11-23'" in commands(
        steps_for(marked("exchange_inbox_rules_loop"), "a1")
    )


@pytest.mark.parametrize("detector", ["machine_paced_forwarding", "silent_copy", "forwarding_blocked", "archive_sent"])
def test_detectors_have_steps_of_their_own(detector: str) -> None:
    plain = {step.title for step in steps_for(finding(), "a1")}
    assert {step.title for step in steps_for(finding(detector=detector), "a1")} - plain


def test_mitigations_are_those_of_the_technique() -> None:
    assert [each.id for each in mitigations_for(finding())] == ["M1047", "M1041", "M1032", "M1060"]


def test_what_is_not_known_is_not_asked_for() -> None:
    text = commands(steps_for(finding(mailbox=None, destinations=(), exhibits=()), "a1"))
    assert "{" not in text.replace("{ $_", "")
    assert "''" not in text


def test_platforms_have_names_for_people() -> None:
    assert platform_title("dovecot") == "Dovecot (Sieve)"
    assert platform_title("any") == "any mail system"


HOSTILE = [
    "$(reboot)@corp.example",
    "`reboot`@corp.example",
    "a'b@corp.example",
    'a"b@corp.example',
    "a\\'b@corp.example",
    "a;reboot@corp.example",
    "a|b&c>d@corp.example",
    "a b@corp.example",
    "!x@corp.example",
    "~root@corp.example",
    "*@corp.example",
    "a{b,c}@corp.example",
    "a#b@corp.example",
    "$HOME@corp.example",
    "%PATH%@corp.example",
    "grüße@corp.example",
    "\u2019; reboot; \u2018@corp.example",
    "{destination}@corp.example",
]
REFUSED = [
    "a\nreboot\n@corp.example",
    "a\x1b[2Jb@corp.example",
    "-rf@corp.example",
    "a\u202eb@x.example",
    "",
    "a" * 400,
]


@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_address_stays_one_word_of_a_posix_shell(address: str) -> None:
    line = command("printf %s {mailbox}", {"mailbox": address}, "sh")
    assert shlex.split(line) == ["printf", "%s", address]
    for shell in ("sh", "bash"):
        done = subprocess.run([shell, "-c", line], capture_output=True, check=True, timeout=10)
        assert done.stdout.decode() == address


@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_address_stays_one_string_of_powershell(address: str) -> None:
    """By PowerShell's rule: in single quotes a quote of any of five kinds ends the string, unless it is doubled."""
    text = quoted(address, "powershell")
    assert (text[0], text[-1]) == ("'", "'")
    assert re.fullmatch(r"(?:[^'\u2018\u2019\u201a\u201b]|(['\u2018\u2019\u201a\u201b])\1)*", text[1:-1])


@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_address_stays_one_part_of_a_path(address: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9%._~-]+", quoted(address, "url"))


@pytest.mark.parametrize("shell", ["sh", "powershell"])
@pytest.mark.parametrize("address", [each for each in REFUSED if not each.startswith("-")])
def test_what_no_quoting_makes_safe_is_not_written_out(address: str, shell: str) -> None:
    line = command("look -u {mailbox}", {"mailbox": address}, shell)  # type: ignore[arg-type]
    assert line.startswith("# ")
    assert line.isprintable()
    assert len(line) < 1000


def test_no_address_becomes_an_option() -> None:
    assert command("look {mailbox}", {"mailbox": "-rf@corp.example"}, "sh").startswith("# ")


@given(st.text(max_size=80))
def test_any_text_stays_one_word_or_a_comment(text: str) -> None:
    line = command("look {mailbox} end", {"mailbox": text}, "sh")
    assert shlex.split(line, comments=True) in ([], ["look", text, "end"])
    assert line.isprintable()


@given(st.text(max_size=40), st.sampled_from(["exchange_srs", "sieve_pigeonhole", "delivered_to", "cpanel_forwarder"]))
def test_steps_can_be_made_for_any_names(text: str, slug: str) -> None:
    found = marked(slug, mailbox=text, mailboxes=(text,), destinations=(text,))
    for step in steps_for(found, "a1"):
        assert all(each.isprintable() for each in step.commands)


def test_a_domain_that_is_no_host_name_leads_into_no_path() -> None:
    text = commands(steps_for(marked("cpanel_forwarder", mailbox="a@../../etc"), "a1"))
    assert "/etc/valiases" not in text
