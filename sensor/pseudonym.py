"""
Pseudonyms: names for addresses that stay the same under one key, and that only the key turns back into addresses.

    fay@corp.example   ->   m-k3vq-ozsg...@d-k3vq-nb2w....invalid

Local part and domain are named apart, so that addresses of one domain can be seen to be so. The local part is bound to
its domain: ``info@`` of two domains has two names. Each name carries the id of its key. Upper and lower case have one
name, and are revealed in lower case.

A name is the text itself, encrypted with AES-256-SIV (RFC 5297), which gives the same for the same text under one key
and nothing to somebody without it, not even a way to try an address against a name. The text is filled up to a
multiple of eight octets, so that a name tells its length only roughly. What is longer than any address is named by a
keyed digest (``x-``), which nobody can turn back.

A key file holds a key a line, of mode 0600; the last one names, all of them reveal. ``invalid`` is a domain that no
mail is ever delivered to (RFC 2606 2).
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from base64 import b32decode, b32encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

from sensor.durable import sync_folder
from sensor.errors import UserError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_OCTETS = 32
"""Of a key that is made here; the file has two hex digits for each."""

LEAST_CHARACTERS = 32
"""Of a key in a file: 16 octets in hex."""

MAX_FILE_OCTETS = 65_536
"""A key file is a few lines; what is larger is another file."""

MAX_PART_OCTETS = 255
"""Of a local part or domain that is named so that it can be revealed. RFC 5321 4.5.3.1 allows 64 and 255."""

MAX_TEXT_OCTETS = 1_000
"""Of any other text, such as a Message-ID: a line of a header field has 998 at most (RFC 5322 2.1.1)."""

NAMES_REMEMBERED = 65_536
"""Names are looked up rather than made where an address comes again: some 20 MB at most."""

_FILL_OCTETS = 8
# A label of a domain has 63 octets (RFC 1035 2.3.4), of which the first holds prefix and key id as well.
_LABEL = 48
_KINDS = {"m": "local part", "u": "user", "d": "domain", "t": "text"}
_BODY = r"[a-z2-7]{4}-[a-z2-7]+"
_HOST = r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*"
_DOMAIN = rf"d-{_BODY}(?:\.[a-z2-7]+)*\.invalid"
_NAME = re.compile(rf"(?<![\w-])(?:m-{_BODY}@(?:{_DOMAIN}|{_HOST})|{_DOMAIN}|[ut]-{_BODY})(?!-?\w)")
_DIGEST = re.compile(r"x-[a-z2-7]{4}-[0-9a-f]{32}")
_HOST_NAME = re.compile(_HOST)


class KeyFileError(UserError):
    """A key file can't be used; the message says why and what to do."""


class RevealError(UserError):
    """A text is no pseudonym, or not one of the keys at hand."""


# ---- keys


@dataclass(frozen=True)
class Key:
    """One key: its secret never shows, its id stands in every name that it made."""

    secret: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """Four characters that tell keys apart."""
        return _base32(blake2b(self.secret, digest_size=5, person=b"mailsensor id").digest())[:4]

    def sealed(self, octets: bytes, about: list[bytes]) -> bytes:
        """*octets* encrypted, bound to what they are *about*. The cipher takes no empty ones."""
        return self._cipher.encrypt(octets, about)

    def opened(self, sealed: bytes, about: list[bytes]) -> bytes | None:
        """What was sealed; none if it was not, with this key and about that, or was changed since."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed, about)
        except (InvalidTag, ValueError):
            return None

    @cached_property
    def _cipher(self) -> AESSIV:
        # Imported where there is something to seal: it takes ten milliseconds of every start, and most need none of it.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(blake2b(self.secret, digest_size=64, person=b"mailsensor siv").digest())

    def digest(self, text: str, octets: int = 16) -> str:
        """A keyed digest in hex: the same for the same text, and nobody tries texts against it without the key."""
        own = blake2b(self.secret, digest_size=64, person=b"mailsensor mac").digest()
        return blake2b(_octets(text), digest_size=octets, key=own).hexdigest()


class KeyRing:
    """Keys, oldest first: the last one is ``newest`` and names. Raises ``KeyFileError`` for keys of one id."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        self.newest = self.keys[-1]
        self._by_id = {key.id: key for key in self.keys}
        if len(self._by_id) < len(self.keys):
            raise KeyFileError("two keys have one id: take the later one out, or make another")

    def get(self, key_id: str) -> Key | None:
        return self._by_id.get(key_id)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._by_id)})"


def key_ring(path: str, *, makes: bool = True) -> KeyRing:
    """
    The keys in the file at *path*, which is made, mode 0600, if it is not there and *makes*; with no path, a key of the
    moment.

    Raises ``KeyFileError`` for a file that others can read, or that holds what is no key.
    """
    if not path:
        return KeyRing([Key(secrets.token_bytes(KEY_OCTETS))])
    try:
        if makes:
            _make(path)
        lines = _lines(path)
    except OSError as error:
        raise KeyFileError(f"{path}: key file not read: {error.strerror}") from None
    for line in lines:
        if len(line) < LEAST_CHARACTERS:
            raise KeyFileError(f"{path}: a key has at least {LEAST_CHARACTERS} characters, one has {len(line)}")
    if not lines:
        raise KeyFileError(f"{path}: holds no key; `mailsensor key {path} --add` puts one in")
    try:
        return KeyRing(map(Key, lines))
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from None


def add_key(path: str) -> KeyRing:
    """Put a new key behind those in the file at *path*: it names from now on. Raises ``KeyFileError``."""
    try:
        if not _make(path):
            _replace(path, b"".join(line + b"\n" for line in (*_lines(path), _new_key())))
    except OSError as error:
        raise KeyFileError(f"{path}: key file not written: {error.strerror}") from None
    return key_ring(path)


def _lines(path: str) -> list[bytes]:
    """The keys of a file as they stand there. Raises ``OSError`` and ``KeyFileError``."""
    with open(path, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise KeyFileError(f"{path}: others can read this key (mode {mode:04o}); chmod 600 {path}")
        octets = file.read(MAX_FILE_OCTETS + 1)
    if len(octets) > MAX_FILE_OCTETS:
        raise KeyFileError(f"{path}: is too large for a key file")
    return [line for each in octets.splitlines() if (line := each.strip()) and not line.startswith(b"#")]


def _make(path: str) -> bool:
    """
    Make a key file where there is none; false if there is one. It is on disk before the key is used: a store that was
    sealed with a key that a power cut took along could never be opened again.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    try:
        with os.fdopen(made, "wb") as file:
            _write(file, _new_key() + b"\n")
        sync_folder(path)
    except OSError:
        os.unlink(path)
        raise
    return True


def _replace(path: str, octets: bytes) -> None:
    """Write a key file anew: as it was or as it is to be, never between; its owner stays."""
    fresh, owner = f"{path}.new", os.stat(path)
    with suppress(FileNotFoundError):  # of somebody who was interrupted here
        os.unlink(fresh)
    made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(made, "wb") as file:
        if os.geteuid() == 0:
            os.fchown(made, owner.st_uid, owner.st_gid)
        _write(file, octets)
    os.replace(fresh, path)
    sync_folder(path)


def _write(file: BinaryIO, octets: bytes) -> None:
    file.write(octets)
    file.flush()
    os.fsync(file.fileno())


def _new_key() -> bytes:
    # In hex, so that an editor or a secret store does not change it.
    return secrets.token_hex(KEY_OCTETS).encode()


# ---- names


def _no_domain(domain: str) -> bool:
    return False


class Pseudonyms:
    """
    Names addresses with the newest of *keys*, and reveals what any of them named.

    Domains that *keeps_domain* is true of stay as they are, unless they are no names of hosts at all.
    """

    def __init__(self, keys: KeyRing, *, keeps_domain: Callable[[str], bool] = _no_domain) -> None:
        self._keys = keys
        self._keeps_domain = keeps_domain
        self._known: dict[tuple[str, str, str], str] = {}

    def address(self, address: str) -> str:
        """The name of an address, or of a user where there is no ``@``; the null reverse-path stays what it is."""
        if not address:
            return ""
        local, at, domain = address.lower().rpartition("@")
        if not at:
            return self._named("u", domain)
        return f"{self._named('m', local, domain)}@{self.domain(domain)}"

    def domain(self, domain: str) -> str:
        """The name of a domain or host; an address of IP in brackets stays what it is."""
        domain = domain.lower()
        if not domain or domain.startswith("["):
            return domain if _is_literal(domain) else self._named("d", domain)
        if _HOST_NAME.fullmatch(domain) and self._keeps_domain(domain):
            return domain
        return self._named("d", domain)

    def text(self, text: str) -> str:
        """The name of any other text, such as a Message-ID; case matters."""
        return self._named("t", text) if text else ""

    def digest(self, text: str, octets: int = 16) -> str:
        """
        A keyed digest in hex, which nobody can turn back. By the oldest key: what it is an id of survives a rotation.
        """
        return self._keys.keys[0].digest(text, octets)

    # ---- back again

    def reveal(self, name: str) -> str:
        """What *name* stands for. Raises ``RevealError``."""
        name = name.strip()
        if _DIGEST.match(name):
            raise RevealError(f"{name}: is a digest of what was too long for an address; it can't be revealed")
        if not _NAME.fullmatch(name):
            raise RevealError(f"{name}: is no pseudonym")
        local, at, domain = name.rpartition("@")
        if not at:
            return self._revealed(name)
        domain = self._revealed(domain) if domain.startswith("d-") else domain
        return f"{self._revealed(local, domain)}@{domain}"

    def reveal_all(self, text: str) -> str:
        """*text* with every name in it revealed; those of other keys stay."""
        return _NAME.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        try:
            return self.reveal(found[0])
        except RevealError:
            return found[0]

    def _revealed(self, name: str, context: str = "") -> str:
        kind, key_id, body = name.removesuffix(".invalid").split("-", 2)
        key = self._keys.get(key_id)
        if key is None:
            held = ", ".join(each.id for each in self._keys.keys)
            raise RevealError(f"{name}: is of key {key_id}, which is not among those at hand ({held})")
        filled = _opened(key, body, _about(kind, context))
        if filled is None:
            raise RevealError(f"{name}: was not made with key {key_id}, or was changed since")
        return filled[2 : 2 + int.from_bytes(filled[:2], "big")].decode("utf-8", "surrogatepass")

    # ---- making

    def _named(self, kind: str, text: str, context: str = "") -> str:
        known = self._known.get((kind, text, context))
        if known is None:
            if len(self._known) >= NAMES_REMEMBERED:
                self._known.clear()
            known = self._known[kind, text, context] = self._make(kind, text, context)
        return known

    def _make(self, kind: str, text: str, context: str) -> str:
        key, octets = self._keys.newest, _octets(text)
        if len(octets) > (MAX_TEXT_OCTETS if kind == "t" else MAX_PART_OCTETS):
            name = f"x-{key.id}-{key.digest(f'{kind}{context} {text}')}"
        else:
            body = _base32(key.sealed(_filled(octets), _about(kind, context)))
            name = f"{kind}-{key.id}-{_in_labels(body) if kind == 'd' else body}"
        return f"{name}.invalid" if kind == "d" else name


def _opened(key: Key, body: str, about: list[bytes]) -> bytes | None:
    try:
        return key.opened(_from_base32(body.replace(".", "")), about)
    except ValueError:  # no base32
        return None


def _about(kind: str, context: str) -> list[bytes]:
    """What a name is bound to beside its text."""
    return [_KINDS[kind].encode(), _octets(context)] if context else [_KINDS[kind].encode()]


def _filled(octets: bytes) -> bytes:
    """Length, octets, and zeros up to the next multiple."""
    whole = len(octets).to_bytes(2, "big") + octets
    return whole + bytes(-len(whole) % _FILL_OCTETS)


def _in_labels(body: str) -> str:
    return ".".join(body[at : at + _LABEL] for at in range(0, len(body), _LABEL))


def _is_literal(domain: str) -> bool:
    """True for an IP address in brackets (RFC 5321 4.1.3), and for nothing."""
    return re.fullmatch(r"(\[(ipv6:)?[0-9a-f:.]+\])?", domain) is not None


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _base32(octets: bytes) -> str:
    return b32encode(octets).decode().rstrip("=").lower()


def _from_base32(text: str) -> bytes:
    return b32decode(text.upper() + "=" * (-len(text) % 8))
