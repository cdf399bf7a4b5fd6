"""Words of mails: subjects and bodies, and names of people and places outside."""

from __future__ import annotations

from random import Random

from benchmarks.detection.chance import chance

_WORDS = """
the of and to in for on with that this we will your from are have please order report meeting invoice team time
project next week attached thanks regards number question support update change system customer contract review
budget office market quarter delivery payment service data access request account address training holiday
""".split()
_TOPICS = (
    "meeting", "report", "project", "schedule", "question", "offer", "order", "delivery", "visit", "training", "draft",
    "minutes", "agenda", "server", "printer", "holiday", "lunch", "plan", "review", "numbers", "figures", "sample",
    "drawing", "release", "survey", "parking", "workshop", "call", "slides", "feedback", "travel", "badge", "quote",
    "shipment", "tender", "audit", "invoice", "payment", "contract", "bank details",
)  # fmt: skip
KEYWORDS = ("invoice", "payment", "contract", "bank")
"""What a selective rule of an intruder looks for in subjects: the topics that move money."""
# Of a hundred mails about eight are about money; the topics come as often as they stand here.
_TOPIC_BAG = tuple(_TOPICS[:36]) * 3 + tuple(_TOPICS[36:]) * 2

FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "proton.me", "gmx.de", "icloud.com")
"""Providers where anybody gets an address. Local parts here begin with "sim." and a number: nobody's."""


def _pool() -> str:
    rng = chance("text")
    lines: list[str] = []
    size = 0
    while size < 400_000:
        lines.append(" ".join(rng.choices(_WORDS, k=rng.randint(6, 12))).capitalize() + ".")
        size += len(lines[-1]) + 2
    return "\r\n".join(lines)


_POOL = _pool()


def body_of(rng: Random, number: int) -> str:
    """A short text that no other mail has: 300 to 1,100 octets."""
    at = int(rng.random() * (len(_POOL) - 1_200))
    return f"Ref. {number}\r\n{_POOL[at : at + 280 + int(rng.random() * 800)]}\r\n"


def subject_of(rng: Random) -> str:
    """What a mail is about."""
    topic = _TOPIC_BAG[int(len(_TOPIC_BAG) * rng.random())]
    return f"{topic.capitalize()} {_WORDS[int(len(_WORDS) * rng.random())]} {int(rng.random() * 10_000)}"


def is_about_money(subject: str) -> bool:
    """True if a rule that looks for money takes the mail."""
    lowered = subject.lower()
    return any(word in lowered for word in KEYWORDS)


def outside_address(rng: Random, *, partners: int) -> str:
    """Somebody at one of *partners* other organisations, large ones more often."""
    return f"p{int(rng.random() * 40)}.{_WORDS[int(len(_WORDS) * rng.random())]}@{partner_domain(rng, partners)}"


def partner_domain(rng: Random, partners: int) -> str:
    """The domain of one of *partners* other organisations, large ones more often."""
    return f"firm{int(partners * rng.random() ** 2)}.example"


def private_address(rng: Random) -> str:
    """Somebody's address at a provider for everybody."""
    return f"sim.{int(rng.random() * 10**9):09}@{FREE_MAIL[int(len(FREE_MAIL) * rng.random() ** 1.5)]}"
