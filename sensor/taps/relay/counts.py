"""Everything the relay counts, each with its meaning."""

from __future__ import annotations

from collections.abc import Mapping

COUNTERS: Mapping[str, str] = {
    "sessions": "Client connections that were accepted.",
    "sessions_refused": "Client connections answered 421, since there were too many in all or of that client.",
    "sessions_refused_of_client": "Of these, those of clients that had `relay.max_sessions_per_client` open already.",
    "loops_refused": "Connections or greetings that came from this relay itself.",
    "next_hop_failed": "Sessions answered 421, since the next hop could not be reached or greeted in vain.",
    "next_hop_lost": "Next-hop connections that ended while the client still needed them.",
    "next_hop_nonsense": "Next-hop connections given up for a reply that is none, or that nothing asked for.",
    "next_hop_timeouts": "Next-hop connections given up for silence.",
    "replies_cut": "Replies of the next hop so long that lines of them were left out.",
    "client_timeouts": "Clients let go for silence.",
    "mails_passed": "Final dots sent to the next hop.",
    "mails_taken": "Final dots that the next hop answered with a positive reply (of LMTP, one for each recipient).",
    "mails_ambiguous": "Mails whose reply never came, answered 451: the next hop may have taken them all the same.",
    "mails_failed": "Mails answered for the next hop, which was gone before their final dot.",
    "mails_aborted": "Mails whose client was gone before their final dot; nothing of them was delivered.",
    "mails_refused": "Mails deferred or refused by a verdict; the next hop never saw their final dot.",
    "mails_quarantine_deferred": "Mails to be held, deferred: a relay has no hold queue.",
    "mails_tagged": "Mails that got the header field of a verdict.",
    "mails_tag_too_late": "Mails to be tagged by their body, which is known when the header section has gone.",
    "strange_tags_removed": "Header fields of the tag's own name that came with mail and were taken off.",
    "headers_too_long": "Mails whose header section was longer than is held back, so that they could not be tagged.",
    "smuggled_dots": "Dots at which a lenient server could have seen an end of data, made harmless.",
    "mails_smuggling_refused": "Mails refused for such dots.",
    "commands_refused": "Commands that the relay answered itself: BDAT, untrusted identities, clear text before TLS.",
    "bare_newlines_refused": "Sessions ended for a command line that did not end with CRLF.",
    "tls_clients": "Sessions of clients that began TLS.",
    "tls_client_failures": "TLS handshakes of clients that failed.",
    "tls_injections": "STARTTLS commands refused, or next hops given up, for octets behind them in clear.",
    "tls_next_hops": "Next-hop connections that are under TLS.",
    "tls_next_hop_failures": "Next-hop connections given up, since TLS is required and was not to be had.",
    "identity_not_passed": "Sessions whose next hop would not hear of the true client, though it should.",
    "proxy_headers": "PROXY headers taken from trusted peers.",
    "proxy_headers_refused": "Connections of trusted peers whose PROXY header was wrong, missing or late.",
    "mails_unjudged": "Mails that could not be observed, and so passed unjudged or, failing closed, were deferred.",
    "faults": "Errors of the relay itself; the connection that each befell was closed.",
    "observer_failures": "Errors of the observer; the session went on unobserved.",
}


class Counts:
    """Plain counts, by the names of ``COUNTERS``. Belongs to one thread; others may read."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values = dict.fromkeys(COUNTERS, 0)

    def add(self, name: str, number: int = 1) -> None:
        self._values[name] += number

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def all(self) -> Mapping[str, int]:
        """As they are now."""
        return dict(self._values)
