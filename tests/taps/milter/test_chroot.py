"""A Postfix whose processes run in a chroot, as Debian's do: by the lines that the page and milter.cf give for that."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from tests.postfix import open_folder, postfix, snippet
from tests.service import free_port
from tests.taps.milter.serving import serving
from tests.taps.relay.relaying import Client

ROOT = Path(__file__).parents[3]
CAGED = "unix:mailsensor/milter.sock"
CONTENT = b"Message-ID: <caged@corp.example>\r\nSubject: a\r\n\r\nHello\r\n"


def test_the_lines_are_those_that_are_shipped() -> None:
    assert f"#smtpd_milters = {CAGED}\n" in (ROOT / "deploy" / "postfix" / "milter.cf").read_text()
    page = (ROOT / "docs" / "milter.md").read_text()
    assert f"smtpd_milters = {CAGED}\n" in page
    assert "install -d -o mailsensor -g postfix -m 2750 /var/spool/postfix/mailsensor\n" in page


@pytest.mark.parametrize("cage", ["y", "n"])
def test_a_caged_postfix_finds_a_socket_below_its_queue(cage: str) -> None:
    """And one that is not caged finds it by the same line. The sensor need not be of Postfix's group."""
    port = free_port()
    more = (
        f"127.0.0.1:{port} inet n - {cage} - - smtpd -o cleanup_service_name=caged\ncaged unix n - {cage} - 0 cleanup\n"
    )
    settings = snippet(ROOT / "deploy" / "postfix" / "milter.cf") | {"milter_default_action": "tempfail"}
    with (
        open_folder() as folder,
        postfix(settings | {"smtpd_milters": CAGED}, more, folder=folder / "postfix"),
        open_folder() as own,
    ):
        # What `install -d -m 2750` of the page does.
        below = folder / "postfix" / "queue" / "mailsensor"
        below.mkdir()
        shutil.chown(below, group="postfix")
        below.chmod(0o2750)
        with serving(own, listen=f"unix:{below}/milter.sock", milter="", access="group") as sensor:
            found = (below / "milter.sock").stat()
            assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (below.stat().st_gid, 0o660)
            with Client(port) as client:
                client.hello()
                assert client.mail(CONTENT) == 250
            (record,) = sensor.records_of(1)
            assert record["header"]["message_id"] == "caged@corp.example"
            assert sensor.end() == 0
