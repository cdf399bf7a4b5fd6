"""How each kind of text is told where addresses must not be: what becomes a pseudonym, what stays, what is dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from sensor.pseudonym import Pseudonyms

_NEVER_IN_ADDRESS = r"\s<>()\[\]{},;:\"'|\\@"
ADDRESS = re.compile(rf"[^{_NEVER_IN_ADDRESS}]+@[^{_NEVER_IN_ADDRESS}]*[^{_NEVER_IN_ADDRESS}.!?…]")
"""What may be an address in a text: rather too much than too little."""

PLAIN_PARAMETERS = frozenset(
    ("SIZE", "BODY", "SMTPUTF8", "RET", "REQUIRETLS", "MT-PRIORITY", "HOLDFOR", "HOLDUNTIL", "BY")
)
"""MAIL parameters whose values are numbers and keywords; the values of others may be anything."""

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9.:;+-]{0,40}")
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}")
_AUTO_SUBMITTED = re.compile(r"no|auto-(?:generated|replied|notified)", re.IGNORECASE)
_ORCPT_TYPE = re.compile(r"[a-z0-9-]{1,16}", re.IGNORECASE)

# Detectors quote what others wrote, in double quotes (``sensor.detect.claim.quoted``), and end with this what they cut.
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_QUOTE_DROPPED = '"..."'
_CUT = "…"


def keeping_domains(which: str, internal: Iterable[str]) -> Callable[[str], bool]:
    """True for the domains that stay clear: of *which* "none", "internal" (those of the organisation), or "all"."""
    if which == "all":
        return _every
    ours = tuple(internal) if which == "internal" else ()
    exact = frozenset(each.lstrip(".") for each in ours)
    # Hosts of our domains are ours too: they stand in HELO, and name no mailbox.
    below = tuple(f".{each}" for each in exact)
    return lambda domain: domain in exact or domain.endswith(below)


class Names:
    """Every way in which a text is told under *pseudonyms*; sentences may be about the addresses in *named*."""

    def __init__(self, pseudonyms: Pseudonyms, named: Iterable[str] = ()) -> None:
        self._pseudonyms = pseudonyms
        self.address = pseudonyms.address
        self.domain = pseudonyms.domain
        self.text = pseudonyms.text
        self.digest = pseudonyms.digest
        self._known = {each.lower(): self.address(each) for each in named if "@" in each}
        self._known |= {domain: self.domain(domain) for each in tuple(self._known) if (domain := _domain_of(each))}
        self._pattern = _pattern(self._known) if self._known else ADDRESS

    def naming(self, named: Iterable[str]) -> Names:
        """These names, for sentences about the addresses in *named*."""
        return Names(self._pseudonyms, named)

    def sentence(self, text: str) -> str:
        """
        A sentence of our own: addresses in it become pseudonyms, and so do the domains of those it may be about; what
        it quotes is dropped.

        The end of one that was cut may be a part of an address: its last word goes.
        """
        if text.endswith(_CUT):
            text = f"{text.rpartition(' ')[0]} {_CUT}".lstrip()
        text = self._pattern.sub(lambda found: self._known.get(found[0].lower()) or self.address(found[0]), text)
        # Quotes last: an address may have some of its own (RFC 5321 4.1.2).
        return _QUOTED.sub(_QUOTE_DROPPED, text)

    def addresses_in(self, text: str) -> str:
        """Of a text that anybody wrote, the addresses that stand in it, as pseudonyms; the rest is dropped."""
        return " ".join(dict.fromkeys(f"<{self.address(each[0])}>" for each in ADDRESS.finditer(text)))

    def in_log(self, text: str) -> str:
        """A text with every address in it under its pseudonym."""
        return ADDRESS.sub(lambda found: self.address(found[0]), text) if "@" in text else text

    def original_recipient(self, text: str) -> str:
        """ORCPT (RFC 3461 4.2): type, semicolon, address."""
        kind, semicolon, address = text.partition(";")
        if not semicolon or not _ORCPT_TYPE.fullmatch(kind):
            return self.address(text)
        return f"{kind};{self.address(address)}"

    def parameters(self, given: Mapping[str, str | None]) -> dict[str, str | None]:
        """Parameters of MAIL: those known, with their values; of others not even the name, which is the client's."""
        return {
            key: value
            for key, value in given.items()
            if key in PLAIN_PARAMETERS and (value is None or _PLAIN_VALUE.fullmatch(value))
        }

    def content_type(self, text: str) -> str:
        """Type and subtype, if they read like ones that are in use."""
        return text if _CONTENT_TYPE.fullmatch(text) else "application/octet-stream"

    def auto_submitted(self, text: str) -> str | None:
        """The keyword (RFC 3834 5) without parameters, which may name an owner (RFC 5436 2.7.1)."""
        found = _AUTO_SUBMITTED.match(text)
        return None if found is None else found[0].lower()

    # ---- of the allow-list

    def allowed(self, title: str) -> str:
        """The title of an entry: "mailbox ..., destination ..., domain ..., detector ..."."""
        parts = (part.partition(" ") for part in title.split(", "))
        return ", ".join(f"{what} {self._allowed_part(what, value)}" for what, _, value in parts)

    def allowed_domain(self, domain: str) -> str:
        """A domain, where a leading dot stands for all below."""
        return f".{self.domain(domain[1:])}" if domain.startswith(".") else self.domain(domain)

    def _allowed_part(self, what: str, value: str) -> str:
        if what == "detector":
            return value
        return self.allowed_domain(value) if what == "domain" else self.address(value)


def _every(domain: str) -> bool:
    return True


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def _pattern(known: Iterable[str]) -> re.Pattern[str]:
    """The names that are *known*, whatever stands in them, and all that looks like an address; the longest first."""
    exact = [rf"(?<![\w.@-]){re.escape(each)}(?![\w@-]|\.\w)" for each in sorted(known, key=len, reverse=True)]
    return re.compile("|".join((*exact, ADDRESS.pattern)), re.IGNORECASE)
