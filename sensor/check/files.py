"""Files that the sensor writes: their folders are there and writable, and nobody else can read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.settings import FileSinkSettings, Settings


def written(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is written, as the setting's name and the path. Whoever adds a file adds a line."""
    yield "store.path", settings.store.path
    yield "run.records", settings.run.records
    yield "run.alerts", settings.run.alerts
    if settings.milter.log_path:
        yield "milter.log_state", settings.milter.log_state
    if settings.alerts.spool_dir:
        # What is written are files in it.
        yield "alerts.spool_dir", os.path.join(settings.alerts.spool_dir, "x.spool")
    for sink in settings.alerts.sinks:
        if isinstance(sink, FileSinkSettings):
            yield f"alerts.sink {sink.name}", sink.path


def _look(subject: Subject) -> Iterator[Line]:
    for what, path in written(subject.settings):
        if path and path != "-":
            yield _folder(what, path)
            yield from _file(what, path)


def _folder(what: str, path: str) -> Line:
    folder, user = os.path.dirname(os.path.abspath(path)), os.geteuid()
    make = f"install -d -m 0700 -o {user} -g {os.getegid()} {folder}"
    if not os.path.isdir(folder):
        return fail(what, f"{folder}: there is no such folder that user {user} can see", make)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return fail(what, f"{folder}: user {user} can't write to it", f"chown {user}:{os.getegid()} {folder}")
    mode = os.stat(folder).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return warn(what, f"{folder}: everybody can put files in place of the sensor's", f"chmod o-w {folder}")
    return ok(what, f"{folder} can be written to")


def _file(what: str, path: str) -> Iterator[Line]:
    try:
        found = os.stat(path)
    except OSError:
        return
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        yield fail(
            what, f"{path}: user {os.geteuid()} can't write to it", f"chown {os.geteuid()}:{os.getegid()} {path}"
        )
    if found.st_mode & 0o077 and stat.S_ISREG(found.st_mode):
        mode = stat.S_IMODE(found.st_mode)
        yield warn(what, f"{path}: others can read who writes to whom (mode {mode:04o})", f"chmod 600 {path}")


FILES = Check("files", "files that are written, and their folders", _look)
