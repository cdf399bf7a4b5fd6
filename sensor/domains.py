"""Domains as they compare: whatever their case, and whether they are written in letters or in the DNS's own form."""

from __future__ import annotations


def same_form(text: str) -> str:
    """
    A domain, or an address with one, in lower case, without a final dot, and with the letters that A-labels of the
    domain stand for. Two that are the same domain have the same form (RFC 5891 4: which of both comes is up to the
    client).
    """
    text = text.lower().rstrip(".")
    if "xn--" not in text:
        return text
    local, at, domain = text.rpartition("@")
    return local + at + ".".join(map(_letters, domain.split(".")))


def _letters(label: str) -> str:
    """
    The U-label of an A-label (RFC 5890 2.3.2.1). What is not exactly one stays as it is: two labels never become the
    same, so nobody can register one that passes for another.
    """
    # RFC 1035 2.3.4: a label has at most 63 octets. Reading takes time with the square of their number.
    if not label.startswith("xn--") or len(label) > 63:
        return label
    try:
        letters = label[4:].encode("ascii").decode("punycode")
        again = "xn--" + letters.encode("punycode").decode("ascii")
    except ValueError:
        return label
    is_exact = again == label and letters == letters.lower() and not letters.isascii()
    return letters if is_exact and not set(letters) & set(".@") else label
