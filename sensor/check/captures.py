"""Captures that are read from files: there, and readable for the user that the sensor runs as."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok


def _look(subject: Subject) -> Iterator[Line]:
    capture = subject.settings.capture
    if capture.folder:
        yield _readable("capture.folder", capture.folder, os.R_OK | os.X_OK)
    for path in capture.files:
        if path != "-":
            yield _readable("capture.files", path, os.R_OK)


def _readable(what: str, path: str, how: int) -> Line:
    if what == "capture.folder" and os.path.exists(path) and not os.path.isdir(path):
        return fail(what, f"{path}: is no folder", "name the folder that captures are put into")
    if os.access(path, how, effective_ids=True):
        return ok(what, path)
    if os.path.exists(path):
        return fail(
            what, f"{path}: user {os.geteuid()} can't read it", f"chgrp {os.getegid()} {path}; chmod g+rX {path}"
        )
    return fail(
        what, f"{path}: not there, or in a folder that user {os.geteuid()} can't enter", "make it, or name another"
    )


CAPTURES = Check("captures", "capture files and the folder of them", _look)
