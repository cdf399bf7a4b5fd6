"""
Writes what fuzzing starts from: ``python3 seeds.py FOLDER`` makes FOLDER/TARGET/* of ``pcaps/`` and ``tests/data/``.

So every capture and every header case that is added to the tests is a seed too, and no copy of it lies here. Needs
nothing but the standard library.
"""

import hashlib
import json
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

LARGEST = 4096
"""Octets of a seed: as many as run.sh lets an input have."""

STREAM_TARGETS = {
    "content_reader": rb"(?i)[a-z-]+:",
    "header_section": rb"(?i)[a-z-]+:",
    "inline_shortcut": rb"(?s).*\r\n\.",
    "mime_skimmer": rb"(?is).*content-type",
    "smtp_data": rb"(?s).*\r\n\.",
    "smtp_origin": rb"PROXY|\r\n\r\n\0",
    "smtp_reply": rb"[0-9]{3}",
    "smtp_tls_hello": rb"\x16\x03",
}
"""They read what one TCP segment carries; by what it looks like."""

LINE_TARGETS = {
    "smtp_auth": rb"(?i)AUTH (.*)",
    "smtp_command": rb"([A-Za-z].*)",
    "smtp_origin": rb"(?i)X(?:CLIENT|FORWARD) (.*)",
    "smtp_path": rb"(?i)(?:MAIL FROM|RCPT TO):(.*)",
}
"""They read what stands in one line; by what it looks like and which part is theirs."""

FIELD_TARGETS = {
    "header_address": ("cc", "from", "reply-to", "resent-from", "sender", "to"),
    "header_date": ("date",),
    "header_encoded_word": ("subject", "thread-topic"),
    "header_field": None,
}
"""They read the value of one field; by the file's name in ``tests/data/headers``, none for all."""


def main(folder: Path) -> None:
    """Writes all seeds below *folder*."""
    for target, seed in seeds():
        if 0 < len(seed) <= LARGEST:
            place = folder / target
            place.mkdir(parents=True, exist_ok=True)
            (place / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Every seed with its target."""
    for capture in sorted((ROOT / "pcaps").glob("*/input.*")):
        octets = capture.read_bytes()
        yield "capture_file", octets
        yield "whole_capture", octets
        yield from of_frames(*frames(octets))
    for cases in sorted((ROOT / "tests" / "data" / "headers").glob("*.json")):
        for case in json.loads(cases.read_text()):
            section = case["raw"].encode() if "raw" in case else case["raw_latin1"].encode("latin-1")
            yield from of_section(cases.stem, section)


def frames(capture: bytes) -> tuple[int, list[bytes]]:
    """Link type and frames of a plain pcap of this machine's byte order; no frames of any other file."""
    if capture[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return 0, []
    (link_type,) = struct.unpack_from("<I", capture, 20)
    found, at = [], 24
    while at + 16 <= len(capture):
        (length,) = struct.unpack_from("<I", capture, at + 8)
        found.append(capture[at + 16 : at + 16 + length])
        at += 16 + length
    return link_type, found


def of_frames(link_type: int, found: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Seeds for the decoder, and for everything that reads streams."""
    link_types = known_link_types()
    if link_type in link_types:
        lengths = (struct.pack(">H", len(frame)) + frame for frame in found)
        yield "decoder", (bytes([link_types.index(link_type)]) + b"".join(lengths))[:LARGEST]
    for payload in filter(None, map(tcp_payload, found)):
        for target, look in STREAM_TARGETS.items():
            if re.match(look, payload):
                yield target, behind_lengths(payload) if target == "mime_skimmer" else payload
        for line in payload.splitlines()[:20]:
            for target, look in LINE_TARGETS.items():
                if match := re.match(look, line):
                    yield target, match[1]


def known_link_types() -> list[int]:
    """The link types of the core's table in its order: the decoder's target picks one by its index."""
    table = (HERE.parent / "wire" / "src" / "link" / "mod.rs").read_text()
    rows = re.search(r"link_type\(u32\) \{(.*?)\}", table, re.DOTALL)
    return [int(key) for key in re.findall(r"(\d+) *=>", rows[1])] if rows else []


def tcp_payload(frame: bytes) -> bytes:
    """The payload of TCP right above IPv4 and Ethernet; nothing of any other frame."""
    if len(frame) < 54 or frame[12:15] != b"\x08\x00\x45" or frame[23] != 6:
        return b""
    return frame[34 + (frame[46] >> 4) * 4 :]


def of_section(field: str, section: bytes) -> Iterator[tuple[str, bytes]]:
    """Seeds made of one case of the header tests."""
    yield "header_section", section
    yield "content_reader", section + b"\r\nbody\r\n"
    value = section.partition(b":")[2]
    for target, fields in FIELD_TARGETS.items():
        if fields is None:
            yield target, bytes([len(section) % 13]) + value
        elif field in fields:
            yield target, value


def behind_lengths(octets: bytes) -> bytes:
    """*octets* as the skimmer's target wants them: the kind of the body, then pieces, each behind its length."""
    pieces = [octets[at : at + 200] for at in range(0, len(octets), 200)]
    return b"\0\0" + b"".join(bytes([len(piece)]) + piece for piece in pieces)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
