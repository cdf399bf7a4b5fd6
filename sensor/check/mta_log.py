"""The MTA's log, in which the milter finds mail that passed unseen: it is there, and the sensor's user can read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn

_WHAT = "milter.log_path"


def _look(subject: Subject) -> Iterator[Line]:
    path = subject.settings.milter.log_path
    if not (path and subject.settings.milter.listen):
        return
    try:
        mode = os.stat(path).st_mode
    except OSError:
        yield warn(
            _WHAT,
            f"{path}: there is no such file: until there is, nothing tells of mail that passed unseen",
            "install rsyslog, or have Postfix write it: postconf -e maillog_file=/var/log/postfix.log",
        )
        return
    if not stat.S_ISREG(mode):
        yield fail(_WHAT, f"{path}: is no file", "name the file that the MTA's log is written to")
    elif not os.access(path, os.R_OK, effective_ids=True):
        yield fail(
            _WHAT,
            f"{path}: user {os.geteuid()} can't read it",
            "have the sensor's user in the group of the log (Debian: usermod -aG adm mailsensor)",
        )
    else:
        yield ok(_WHAT, f"{path} can be read")


MTA_LOG = Check("mta_log", "the log in which the milter finds mail that passed unseen", _look)
