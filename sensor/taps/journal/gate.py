"""Who may send copies, how many at once, and to whom: what is asked before any octet of a mail is taken. No sockets."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

from sensor.settings import JournalSettings

NOT_A_PEER = "554 5.7.1 Copies are taken from named peers alone"
TOO_MANY = "421 4.7.0 Too many sessions, try again later"
NOT_OURS = "550 5.1.1 Copies are taken for the journal alone"
TOO_MUCH = "452 4.3.1 Too much is being taken in, try again later"
TOO_MANY_RECIPIENTS = "452 4.5.3 Too many recipients"


class Gate:
    """Answers are the reply that refuses, or none. ``refused`` counts by reason. A mail has *recipients* at most."""

    def __init__(self, settings: JournalSettings, recipients: int) -> None:
        self._settings, self._recipients = settings, recipients
        self._addresses = frozenset(each for each in settings.addresses if "@" in each)
        self._domains = frozenset(each.lstrip(".") for each in settings.addresses if "@" not in each)
        self._parents = tuple(each for each in settings.addresses if each.startswith("."))
        self._sessions: Counter[str] = Counter()
        self._open_octets = 0
        self.refused: Counter[str] = Counter()

    def admit(self, peer: str) -> str | None:
        """A session of *peer*, an IP address. One that is admitted is to be told to ``leave`` when it is over."""
        if not self._is_peer(peer):
            return self._refuse("peer", NOT_A_PEER)
        if self._sessions.total() >= self._settings.sessions or self._sessions[peer] >= self._settings.peer_sessions:
            return self._refuse("sessions", TOO_MANY)
        self._sessions[peer] += 1
        return None

    def leave(self, peer: str) -> None:
        """A session of *peer* is over."""
        self._sessions[peer] -= 1
        if self._sessions[peer] <= 0:
            del self._sessions[peer]

    def is_ours(self, address: str) -> bool:
        """True for an address of the journal; what stands behind a + in it may be anything."""
        local, _, domain = address.lower().rstrip(".").rpartition("@")
        return (
            f"{local.partition('+')[0]}@{domain}" in self._addresses
            or f"{local}@{domain}" in self._addresses
            or domain in self._domains
            or bool(self._parents and domain.endswith(self._parents))
        )

    def recipient(self, address: str, before: int) -> str | None:
        """A recipient, behind *before* others of the mail."""
        if not self._settings.keeps_envelope and not self.is_ours(address):
            return self._refuse("recipient", NOT_OURS)
        if before >= self._recipients:
            return self._refuse("recipients", TOO_MANY_RECIPIENTS)
        return None

    def begin(self, octets: int) -> str | None:
        """A mail of so many *octets*, as its sender says. One that is begun is to be told to ``end``."""
        if self._open_octets + octets > self._settings.open_octets:
            return self._refuse("octets", TOO_MUCH)
        self._open_octets += octets
        return None

    def end(self, octets: int) -> None:
        """A mail that was begun is over."""
        self._open_octets -= octets

    def _is_peer(self, peer: str) -> bool:
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._settings.peers)

    def _refuse(self, why: str, reply: str) -> str:
        self.refused[why] += 1
        return reply
