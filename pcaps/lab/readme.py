"""The README of a case: its story, who speaks to whom, and the dialogue in short as tshark reassembles it."""

import re
import subprocess
from pathlib import Path

from lab import Case
from servers import ADDRESSES, PROXY_PORT
from truth import Transaction, Truth

SERVER_PORTS = {24, 25, 465, 587, PROXY_PORT}
MAX_LINE = 110
MAX_LINES = 70


def to_readme(case: Case, capture: Path, truth: Truth) -> str:
    """The text of a case's `README.md`."""
    sections = [
        f"# {case.name}: {case.summary}",
        case.story,
        "## What happened",
        "\n".join(f"- {_in_words(transaction)}" for transaction in truth.transactions) or "No transaction is visible.",
        "## The dialogue in short",
        "```\n" + "\n".join(_shown(line, truth.secrets) for line in _dialogues(capture)) + "\n```",
        f"Made by `pcaps/lab/make.py {case.name.removeprefix('lab_')}` from real servers; times, ports and queue ids "
        "change from run to run.",
    ]
    return "\n\n".join(sections) + "\n"


def _shown(line: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        line = line.replace(secret, "[secret]")
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 3] + "..."


def _in_words(transaction: Transaction) -> str:
    recipients = ", ".join(f"`<{item.address}>` {item.code}" for item in transaction.recipients) or "no recipient"
    route = f"{transaction.client.name} to {transaction.server.name}:{transaction.port}"
    forward = transaction.forwarding.mechanism if transaction.forwarding else None
    mechanism = f" ({forward})" if forward else ""
    return f"{route}: `<{transaction.reverse_path}>` to {recipients}: {transaction.outcome}{mechanism}"


def _dialogues(capture: Path) -> list[str]:
    lines: list[str] = []
    for stream, turns in _turns(capture).items():
        rendered = _rendered(turns)
        if len(rendered) > MAX_LINES:
            rendered = [*rendered[:MAX_LINES], f"   [{len(rendered) - MAX_LINES} more lines]"]
        lines += ([""] if lines else []) + [f"-- connection {stream}: {_route(turns[0])} --", *rendered]
    return lines


def _route(turn: tuple[str, str, bool, bytes]) -> str:
    speaker, listener, by_server, _ = turn
    client, server = (listener, speaker) if by_server else (speaker, listener)
    return f"{client} to {server}"


def _turns(capture: Path) -> dict[str, list[tuple[str, str, bool, bytes]]]:
    """By connection: (first speaker, first listener, spoken by the server, octets), one for each change of speaker."""
    wanted = ["tcp.stream", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.payload"]
    shown = "tcp.len > 0 && !tcp.analysis.retransmission && !tcp.analysis.out_of_order"
    columns = (part for name in wanted for part in ("-e", name))
    command = ["tshark", "-n", "-r", str(capture), "-Y", shown, "-T", "fields", *columns]
    output = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    names = {address: name for name, address in ADDRESSES.items()}
    connections: dict[str, list[tuple[str, str, bool, bytes]]] = {}
    for row in output.splitlines():
        stream, src4, src6, dst4, dst6, port, payload = row.split("\t")
        source, target = (_inner(four or six) for four, six in ((src4, src6), (dst4, dst6)))
        turns = connections.setdefault(stream, [])
        by_server = int(port) in SERVER_PORTS
        octets = bytes.fromhex(payload)
        if turns and turns[-1][2] == by_server:
            octets = turns.pop()[3] + octets
        turns.append((names.get(source, source), names.get(target, target), by_server, octets))
    return connections


def _inner(addresses: str) -> str:
    return addresses.rsplit(",", maxsplit=1)[-1]


def _rendered(turns: list[tuple[str, str, bool, bytes]]) -> list[str]:
    lines: list[str] = []
    in_content = False
    for _, _, by_server, octets in turns:
        if by_server:
            lines += [f"S: {line}" for line in _printable(octets)]
            in_content = bool(re.search(rb"(?:^|\n)354[^\n]*\n$", octets))
            continue
        if in_content:
            content, end, behind = octets.partition(b"\r\n.\r\n")
            lines += [f"C: [{len(content) + 2} octets of content]"] + (["C: ."] if end else ["   [never finished]"])
            lines += [f"C: {line}" for line in _printable(_without_chunks(behind))]
            continue
        lines += [f"C: {line}" for line in _printable(_without_chunks(octets))]
    return lines


def _without_chunks(octets: bytes) -> bytes:
    out = b""
    while found := re.search(rb"(?:^|\n)BDAT (\d+)[^\n]*\n", octets):
        size = int(found[1])
        out += octets[: found.end()] + (b"[%d octets of content]\r\n" % size if size else b"")
        octets = octets[found.end() + size :]
    return out + octets


def _printable(octets: bytes) -> list[str]:
    """Lines of text; anything else is counted."""
    if not octets:
        return []
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(letter) < 32 and letter not in "\r\n\t" for letter in text):
        return [f"[{len(octets)} octets that are not text]"]
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")
