"""Keys, passwords and tokens: readable for the sensor, and for nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from sensor.alert.secret import check_private, read_secret
from sensor.alert.sinks.base import SinkError
from sensor.check.base import Check, Line, Subject, fail, ok
from sensor.check.facts import nearest_folder
from sensor.pseudonym import KeyFileError, key_ring
from sensor.settings import SecretSource, Settings, SinkSettings

_SECRETS = ("password", "token", "secret", "pseudonym_key")


def _look(subject: Subject) -> Iterator[Line]:
    yield from _pseudonym_key(subject.settings)
    for sink in subject.settings.alerts.sinks:
        yield from _of_sink(sink, subject)
    settings = subject.settings
    for what, key_file in (
        ("relay.tls_key_file", settings.relay.tls_key_file),
        ("journal.key_file", settings.journal.key_file),
    ):
        if key_file:
            yield _key(what, key_file)


def _pseudonym_key(settings: Settings) -> Iterator[Line]:
    """It is made where it is not there, so that is well too."""
    path, what = settings.privacy.key_file, "privacy.key_file"
    if not path:
        return
    if not os.path.exists(path):
        folder = nearest_folder(path)
        if folder == os.path.dirname(os.path.abspath(path)) and os.access(
            folder, os.W_OK | os.X_OK, effective_ids=True
        ):
            yield ok(what, f"{path}: is made at the first start")
        else:
            yield fail(
                what,
                f"{path}: not there, and user {os.geteuid()} can't make it",
                f"install -d -m 0700 -o {os.geteuid()} -g {os.getegid()} {os.path.dirname(os.path.abspath(path))}",
            )
        return
    mode = os.stat(path).st_mode
    if mode & 0o077:
        yield fail(what, f"{path}: others can read this key (mode {stat.S_IMODE(mode):04o})", f"chmod 600 {path}")
    elif not os.access(path, os.R_OK, effective_ids=True):
        yield fail(what, f"{path}: user {os.geteuid()} can't read it", f"chown {os.geteuid()}:{os.getegid()} {path}")
    else:
        yield _keys_in(what, path)


def _keys_in(what: str, path: str) -> Line:
    try:
        key_ring(path, makes=False)
    except KeyFileError as error:
        return fail(
            what, str(error), f"take out what is no key, or put it elsewhere; mailsensor key {path} --add makes one"
        )
    return ok(what, path)


def _of_sink(sink: SinkSettings, subject: Subject) -> Iterator[Line]:
    for name in _SECRETS:
        source = getattr(sink, name, None)
        if isinstance(source, SecretSource):
            what = f"alerts.sink {sink.name}: {name}"
            try:
                read_secret(source, subject.environment)
            except SinkError as error:
                yield fail(what, str(error), _right_mode(source.file))
            else:
                yield ok(what, source.file or f"environment variable {source.variable}")
    key_file = getattr(getattr(sink, "tls", None), "key_file", None)
    if key_file:
        yield _key(f"alerts.sink {sink.name}: key_file", key_file)


def _key(what: str, path: str) -> Line:
    """Of a certificate."""
    try:
        check_private(path)
    except SinkError as error:
        return fail(what, str(error), _right_mode(path))
    if not os.access(path, os.R_OK, effective_ids=True):
        return fail(what, f"{path}: user {os.geteuid()} can't read it", _right_mode(path))
    return ok(what, path)


def _right_mode(path: str | None) -> str:
    if path is None:
        return "give it to the process (EnvironmentFile= in the unit file), or name a file"
    return f"chown root:{os.getegid()} {path}; chmod 640 {path}"


SECRETS = Check("secrets", "key files, passwords and tokens", _look)
