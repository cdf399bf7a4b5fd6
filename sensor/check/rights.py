"""What the process may do: it has to be able to capture, and should not stay root."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sensor import privileges
from sensor.check.base import Check, Line, Subject, fail, ok, warn

GRANT = (
    "start it as root (it becomes run.user), or by a unit file with AmbientCapabilities=CAP_NET_RAW "
    "(deploy/systemd/mailsensor.service)"
)


def _look(subject: Subject) -> Iterator[Line]:
    settings = subject.settings
    uid = os.geteuid()
    if uid == 0 and settings.run.stays_root:
        yield warn(
            "user",
            "stays root: whatever is wrong in it is wrong as root",
            'set run.user to a user of its own, not "root"',
        )
    elif uid:
        yield ok("user", f"runs as user {uid}, group {os.getegid()}")
    if not settings.live.interfaces:
        return
    if not privileges.may("net_raw"):
        yield fail("capture", "this user may not capture: it takes CAP_NET_RAW", GRANT)
    elif settings.run.keep_net_raw or uid == 0:
        yield ok("capture", "may capture; keeps the right, and can open interfaces that come back")
    else:
        yield ok(
            "capture",
            "may capture; gives the right up after the start, so an interface that is removed and comes back waits "
            "for a restart (run.keep_net_raw)",
        )


RIGHTS = Check("rights", "the user and its capabilities", _look)
