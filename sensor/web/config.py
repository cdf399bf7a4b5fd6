"""
The web config file: certificates and users, in the format of Prometheus's exporter-toolkit.

    tls_server_config:
      cert_file: server.crt
      key_file: server.key
      client_auth_type: RequireAndVerifyClientCert
      client_ca_file: ca.crt
      min_version: TLS12
    basic_auth_users:
      prometheus: $2y$12$...          # bcrypt, as `htpasswd -nBC 12 prometheus` prints it

Paths are relative to the file. A key of that format that we do not know is an error rather than silently without
effect. The file is read anew when it, or a file that it names, changes; one that can't be used then leaves the last
good one in force. So does one without the TLS or the users that there were: an empty or half-written file reads like
that, and would let everybody in.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from sensor.errors import UserError

MAX_OCTETS = 1 << 20
_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}")
MAX_COST = 16
"""Of a bcrypt hash: a check takes some 4 seconds then, and each step more doubles it."""

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class WebConfigError(UserError):
    """The web config file can't be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Files, and what is asked of clients."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""
    client_auth_type: str = ""
    min_version: str = "TLS12"
    max_version: str = "TLS13"

    def context(self) -> ssl.SSLContext:
        """Ready to serve. Raises ``WebConfigError``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self.min_version]
        context.maximum_version = _VERSIONS[self.max_version]
        context.verify_mode = _CLIENT_AUTH[self.client_auth_type]
        try:
            context.load_cert_chain(self.cert_file, self.key_file)
            if self.client_ca_file:
                context.load_verify_locations(self.client_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise WebConfigError(f"tls_server_config: {self.cert_file}, {self.key_file}: {error}") from None
        return context


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file says. ``users`` maps names to bcrypt hashes; ``headers`` are added to each answer."""

    tls: TlsConfig | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def asks_who(self) -> bool:
        """True if clients have to show who they are: by password or by certificate."""
        by_certificate = self.tls is not None and self.tls.client_auth_type == "RequireAndVerifyClientCert"
        return bool(self.users) or by_certificate


def load_web_config(path: str) -> WebConfig:
    """The config in the file at *path*; with no path, neither TLS nor users. Raises ``WebConfigError``."""
    if not path:
        return WebConfig()
    document = _document(path)
    unknown = sorted(set(document) - {"tls_server_config", "basic_auth_users"})
    if unknown:
        raise WebConfigError(f"{path}: unknown key {unknown[0]}; allowed: tls_server_config, basic_auth_users")
    tls = _tls(path, document.get("tls_server_config"))
    users = _users(path, document.get("basic_auth_users"))
    files = (path, *((tls.cert_file, tls.key_file, *filter(None, (tls.client_ca_file,))) if tls else ()))
    return WebConfig(tls, users, files)


class WatchedConfig:
    """The config in force. Raises ``WebConfigError`` where the first reading fails; later ones keep what there is."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.current = load_web_config(path)
        self.context = self.current.tls.context() if self.current.tls is not None else None
        self._marks = _marks(self.current.files)

    def look(self) -> bool:
        """
        Read the file anew if it changed; true if it did and is in force. Raises ``WebConfigError``, once for each
        change, where it can't be used.
        """
        marks = _marks(self.current.files)
        if marks == self._marks:
            return False
        self._marks = marks
        fresh = load_web_config(self._path)
        self._check_that_it_guards(fresh)
        context = fresh.tls.context() if fresh.tls is not None else None
        self.current, self.context = fresh, context
        self._marks = _marks(fresh.files)
        return True

    def _check_that_it_guards(self, fresh: WebConfig) -> None:
        """Raise ``WebConfigError`` where *fresh* does without what guards the face now."""
        lacks_tls = self.current.tls is not None and fresh.tls is None
        if lacks_tls or (self.current.asks_who and not fresh.asks_who):
            lost = "TLS" if lacks_tls else "anybody who has to say who they are"
            raise WebConfigError(f"{self._path}: is without {lost} now; restart the sensor if that is meant")


def _document(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            octets = file.read(MAX_OCTETS + 1)
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise WebConfigError(f"{path}: web config file not read: {error.strerror}") from None
    if len(octets) > MAX_OCTETS:
        raise WebConfigError(f"{path}: has more than {MAX_OCTETS >> 20} MiB")
    try:
        document = yaml.safe_load(octets)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise WebConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise WebConfigError(f"{path}: must hold keys such as tls_server_config and basic_auth_users")
    if document.get("basic_auth_users") and mode & 0o007:
        raise WebConfigError(f"{path}: everybody can read or change its password hashes; chmod 640 {path}")
    return {str(key): value for key, value in document.items()}


def _tls(path: str, section: object) -> TlsConfig | None:
    if section is None:
        return None
    at = f"{path}: tls_server_config"
    keys = {"cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version", "max_version"}
    if not isinstance(section, dict) or not all(isinstance(value, str) for value in section.values()):
        raise WebConfigError(f"{at}: must be keys with texts")
    unknown = sorted({str(key) for key in section} - keys)
    if unknown:
        raise WebConfigError(f"{at}: unknown key {unknown[0]}; allowed: {', '.join(sorted(keys))}")
    if not section.get("cert_file") or not section.get("key_file"):
        raise WebConfigError(f"{at}: needs cert_file and key_file")
    beside = os.path.dirname(os.path.abspath(path))
    texts = {
        key: os.path.join(beside, value) if key.endswith("_file") and value else value for key, value in section.items()
    }
    tls = TlsConfig(**texts)
    if tls.client_auth_type not in _CLIENT_AUTH:
        raise WebConfigError(f"{at}: client_auth_type must be one of {', '.join(filter(None, _CLIENT_AUTH))}")
    if not {tls.min_version, tls.max_version} <= _VERSIONS.keys():
        raise WebConfigError(f"{at}: min_version and max_version must be one of {', '.join(_VERSIONS)}")
    if _CLIENT_AUTH[tls.client_auth_type] != ssl.CERT_NONE and not tls.client_ca_file:
        raise WebConfigError(f"{at}: {tls.client_auth_type} needs client_ca_file")
    if os.path.exists(tls.key_file) and stat.S_IMODE(os.stat(tls.key_file).st_mode) & 0o007:
        raise WebConfigError(f"{at}: everybody can read {tls.key_file}; chmod 640 {tls.key_file}")
    return tls


def _users(path: str, section: object) -> dict[str, str]:
    at = f"{path}: basic_auth_users"
    if section is None:
        return {}
    if not isinstance(section, dict) or not all(isinstance(each, str) for pair in section.items() for each in pair):
        raise WebConfigError(f"{at}: must be names with bcrypt hashes")
    for name, digest in section.items():
        found = _BCRYPT.fullmatch(digest)
        if found is None or not 4 <= int(found[1]) <= MAX_COST:
            raise WebConfigError(f"{at}: {name}: must be a bcrypt hash of cost 4 to {MAX_COST} (htpasswd -nBC 12 NAME)")
        if ":" in name:
            raise WebConfigError(f"{at}: {name}: a name has no colon (RFC 7617)")
    return dict(section)


def _marks(files: tuple[str, ...]) -> tuple[object, ...]:
    """What changes when a file does; a file that is not there is one mark as well."""
    marks: list[object] = []
    for path in files:
        try:
            found = os.stat(path)
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError:
            marks.append(None)
    return tuple(marks)
