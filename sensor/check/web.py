"""The HTTP face: certificates, users, and who can reach it."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.settings import split_listen
from sensor.web.config import WebConfigError, load_web_config

_LOOPBACK = ("127.", "::1", "localhost")


def _look(subject: Subject) -> Iterator[Line]:
    web = subject.settings.web
    if not web.listen:
        return
    try:
        config = load_web_config(web.config_file)
        if config.tls is not None:
            config.tls.context()
    except WebConfigError as error:
        yield fail("web.config_file", str(error), "see docs/running.md for what may stand in it")
        return
    here = split_listen(web.listen)[0].startswith(_LOOPBACK)
    if web.config_file:
        said = f"{web.config_file}: {'TLS' if config.tls else 'no TLS'}, {len(config.users)} users"
        yield ok("web.config_file", said)
    if here or config.asks_who:
        yield ok("web.listen", "this host alone can reach it" if here else "clients have to say who they are")
    elif web.allow_without_auth:
        yield warn(
            "web.listen",
            "others can reach it, and nobody has to say who they are (web.allow_without_auth)",
            "set basic_auth_users in web.config_file, unless something in front of it asks",
        )
    else:
        yield fail(
            "web.listen",
            "others can reach it, and nobody would have to say who they are",
            "set basic_auth_users in web.config_file, or web.allow_without_auth = true",
        )
    if not here and config.tls is None:
        yield warn(
            "web.listen", "passwords and addresses of mailboxes go over the wire in clear", "set tls_server_config"
        )


WEB = Check("web", "the HTTP face", _look)
