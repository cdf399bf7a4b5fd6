"""A log of the MTA that is not there, or is no log: nobody is left to believe that mail is watched for."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from sensor.log import Log
from sensor.settings import MilterSettings
from sensor.taps.base import TapError
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.unseen import Watch


def test_a_log_that_is_not_there_is_told_once_and_followed_when_it_comes(tmp_path: Path) -> None:
    told, counts, path = io.StringIO(), Counts(), tmp_path / "mail.log"
    watch = Watch(MilterSettings(log_path=str(path)), counts, Log(told))
    for _ in range(3):
        watch.turn()
    assert told.getvalue().count("log_not_followed") == 1
    assert "there is no such file" in told.getvalue()
    path.write_text(
        "Nov 22 10:00:00 mx postfix/smtpd[1]: 4ZQ1234567: client=client.example[192.0.2.7]\n"
        "Nov 22 10:00:00 mx postfix/qmgr[2]: 4ZQ1234567: from=<ann@corp.example>, size=1, nrcpt=1 (queue active)\n"
    )
    watch.turn()
    watch.turn()
    assert counts.mails_unseen == 1
    watch.close()


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_log_is_refused_at_the_start(kind: str, tmp_path: Path) -> None:
    """A pipe that nobody writes to would hold the start up for ever."""
    path = tmp_path / "mail.log"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(TapError, match="the log can't be read"):
        Watch(MilterSettings(log_path=str(path)), Counts(), Log(io.StringIO()))
