//! What a file is, by its first octets: a capture, or something else that deserves its name in the error.

use crate::byte_order::ByteOrder;
use crate::{pcap, pcapng};

/// The format of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic format of libpcap.
    Pcap,
    /// The block format of Wireshark and newer tools.
    Pcapng,
}

impl Format {
    /// Its usual name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
        }
    }

    /// Tells it by the first octets of an uncompressed file; `pcapng::MAGIC_OCTETS` of them are enough.
    pub(crate) fn of(first: &[u8]) -> Option<Self> {
        if pcap::Encoding::of(first).is_some() {
            Some(Self::Pcap)
        } else {
            pcapng::section_byte_order(first).map(|_| Self::Pcapng)
        }
    }
}

/// Kinds of files by their magic octets. The longest magic of a family comes first.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (or an office document): unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz: decompress it first, with xz -d"),
    (b"BZh", "compressed with bzip2: decompress it first, with bzip2 -d"),
    (
        b"\x04\x22\x4d\x18",
        "compressed with lz4: decompress it first, with lz4 -d",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
    (b"\x1f\x8b", "compressed with gzip twice: decompress it once more"),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd twice: decompress it once more",
    ),
    (b"snoop\0\0\0", "a snoop capture: convert it with editcap -F pcap"),
    (b"btsnoop\0", "a Bluetooth capture (btsnoop)"),
    (b"GMBU", "a Network Monitor capture: convert it with editcap -F pcap"),
    (b"RTSS", "a Network Monitor capture: convert it with editcap -F pcap"),
    (
        b"TRSNIFF data    \x1a",
        "a Sniffer capture: convert it with editcap -F pcap",
    ),
    (b"XCP\0", "a NetXRay capture: convert it with editcap -F pcap"),
    (b"!BDN", "an Outlook mail store (pst)"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"From ", "a mailbox (mbox): mails, not the packets that carried them"),
];

/// Header fields that stored mail starts with.
const MAIL_FIELDS: &[&str] = &[
    "return-path",
    "received",
    "delivered-to",
    "x-original-to",
    "from",
    "date",
    "message-id",
    "mime-version",
    "subject",
];

/// What *first*, the first octets of a file that is no capture, looks like; `None` if like nothing known.
pub(crate) fn kind_of(first: &[u8]) -> Option<&'static str> {
    let by_magic = MAGIC
        .iter()
        .find(|(magic, _)| first.starts_with(magic))
        .map(|(_, kind)| *kind);
    if by_magic.is_some() || first.is_empty() {
        by_magic
    } else if first.get(257..262) == Some(b"ustar") {
        Some("a tar archive: unpack it first")
    } else if first.iter().all(|octet| *octet == 0) {
        Some("nothing but zero octets")
    } else if is_text(first) {
        Some(kind_of_text(first))
    } else if is_erf(first) {
        Some("perhaps an ERF capture: convert it with editcap -F pcap")
    } else {
        None
    }
}

fn is_text(first: &[u8]) -> bool {
    // A character cut at the end of what was looked at is no fault.
    let valid = match std::str::from_utf8(first) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid
        && first
            .iter()
            .all(|octet| *octet >= b' ' || matches!(octet, b'\t' | b'\n' | b'\r' | 0x0c))
}

fn kind_of_text(first: &[u8]) -> &'static str {
    let name = first
        .split(|octet| matches!(octet, b':' | b'\n'))
        .next()
        .unwrap_or_default();
    if first.get(name.len()) == Some(&b':')
        && MAIL_FIELDS
            .iter()
            .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
    {
        "a stored mail (eml): a mail, not the packets that carried it"
    } else {
        "text"
    }
}

/// ERF has no magic: a record starts with a time of our days (little-endian, seconds in the upper half), a type, flags, and
/// its length, which holds at least its own header.
fn is_erf(first: &[u8]) -> bool {
    let Some(header) = first.first_chunk::<16>() else {
        return false;
    };
    let seconds = ByteOrder::Little.u32(header, 4);
    let record_octets = ByteOrder::Big.u16(header, 10);
    let wire_octets = ByteOrder::Big.u16(header, 14);
    (631_152_000..4_102_444_800).contains(&seconds)
        && (1..=48).contains(&(header[8] & 0x7f))
        && (24..=10_000).contains(&record_octets)
        && (14..=65_535).contains(&wire_octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_told_by_their_first_octets() {
        let cases: &[(&[u8], Option<Format>)] = &[
            (b"\xa1\xb2\xc3\xd4", Some(Format::Pcap)),
            (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", Some(Format::Pcap)),
            (b"\xa1\xb2\x3c\x4d", Some(Format::Pcap)),
            (b"\x4d\x3c\xb2\xa1", Some(Format::Pcap)),
            (b"\x34\xcd\xb2\xa1", Some(Format::Pcap)),
            (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", Some(Format::Pcapng)),
            (b"\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d", Some(Format::Pcapng)),
            (b"\x0a\x0d\x0d\x0aplain text", None),
            (b"\x0a\x0d\x0d\x0a", None),
            (b"\xa1\xb2\xc3", None),
            (b"", None),
        ];
        for (first, expected) in cases {
            assert_eq!(Format::of(first), *expected, "{first:x?}");
        }
    }

    #[test]
    fn other_files_are_named() {
        let erf = b"\0\0\0\0\x80\x12\x34\x5f\x02\x04\x00\x50\0\0\0\x3c\0\0payload \x80\x81";
        let cases: &[(&[u8], &str)] = &[
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
            (b"%PDF-1.7", "PDF"),
            (b"PK\x03\x04rest", "zip"),
            (b"\xfd7zXZ\0\0", "xz -d"),
            (b"snoop\0\0\0\0\0\0\x02", "snoop"),
            (b"From someone@example.org Mon", "mbox"),
            (b"Received: from mx", "eml"),
            (b"return-path:<a@example.org>", "eml"),
            (b"hello: there\n", "text"),
            ("caf\u{e9}".as_bytes(), "text"),
            (&"caf\u{e9}".as_bytes()[..4], "text"),
            (b"\0\0\0\0\0", "zero"),
            (erf, "ERF"),
        ];
        for (first, part) in cases {
            let kind = kind_of(first).unwrap_or_default();
            assert!(kind.contains(part), "{first:x?} is {kind}");
        }
        assert_eq!(kind_of(b"\x01\x02\x03\x80"), None);
        assert_eq!(kind_of(b""), None);
    }
}
