//! Who the real client is when something stands between: XCLIENT, XFORWARD (Postfix) and PROXY (HAProxy) v1 and v2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::path::xtext;

/// What a trusted front told of the real client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The name it gave in HELO or EHLO.
    pub helo: Option<String>,
    /// Its SASL login (XCLIENT LOGIN=).
    pub login: Option<String>,
}

impl Origin {
    /// Octets it holds.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        let texts = [&self.helo, &self.login];
        texts.into_iter().flatten().map(String::len).sum()
    }

    /// Reads the attributes of XCLIENT or XFORWARD: `NAME=value` with xtext values. None if one does not parse.
    #[must_use]
    pub fn parse_attributes(arguments: &[u8]) -> Option<Self> {
        let mut origin = Self::default();
        let mut any = false;
        for word in arguments.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            let equals = memchr::memchr(b'=', word)?;
            let value = xtext(&word[equals + 1..]);
            any = true;
            // [UNAVAILABLE] and [TEMPUNAVAIL] say that the front does not know either.
            if value.starts_with('[') {
                continue;
            }
            match word[..equals].to_ascii_uppercase().as_slice() {
                b"ADDR" => origin.ip = Some(address(&value)?),
                b"HELO" => origin.helo = Some(value),
                b"LOGIN" => origin.login = Some(value),
                _ => {}
            }
        }
        any.then_some(origin)
    }

    /// Takes what *newer* tells, and keeps what it does not.
    pub fn update(&mut self, newer: Self) {
        self.ip = newer.ip.or(self.ip);
        self.helo = newer.helo.or_else(|| self.helo.take());
        self.login = newer.login.or_else(|| self.login.take());
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("IPV6:"))
        .map_or(text, |tag| &text[tag.len()..]);
    bare.parse().ok()
}

/// What the first octets of a client's stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// No PROXY header.
    None,
    /// Perhaps one: more octets are needed.
    NeedMore,
    /// A PROXY header of that many octets, telling the source address if it is a forwarded connection.
    Proxy {
        /// Octets of the header.
        used: usize,
        /// The real client.
        ip: Option<IpAddr>,
    },
    /// A PROXY header that does not parse; that many octets of it.
    Malformed {
        /// Octets to skip.
        used: usize,
    },
}

const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest version 1 line (proxy protocol specification 2.1).
const V1_MAX: usize = 107;

/// The most octets that a PROXY header may need: version 2 gives the length behind its first 16 octets in 16 bits.
pub const PREAMBLE_OCTETS: usize = 16 + (u16::MAX as usize);

/// Looks for a PROXY header at the start of *stream*. Needs at most [`PREAMBLE_OCTETS`] of it.
#[must_use]
pub fn preamble(stream: &[u8]) -> Preamble {
    if stream.is_empty() {
        return Preamble::NeedMore;
    }
    let shared = |signature: &[u8]| {
        let length = stream.len().min(signature.len());
        stream[..length] == signature[..length]
    };
    if shared(V2_SIGNATURE) {
        version_2(stream)
    } else if shared(b"PROXY ") {
        version_1(stream)
    } else {
        Preamble::None
    }
}

fn version_1(stream: &[u8]) -> Preamble {
    let Some(end) = memchr::memchr(b'\n', &stream[..stream.len().min(V1_MAX)]) else {
        return if stream.len() >= V1_MAX {
            Preamble::Malformed { used: V1_MAX }
        } else {
            Preamble::NeedMore
        };
    };
    let used = end + 1;
    let line = String::from_utf8_lossy(stream[..end].trim_ascii_end());
    let mut words = line.split(' ').skip(1);
    match (words.next(), words.next().map(str::parse)) {
        (Some("UNKNOWN"), _) => Preamble::Proxy { used, ip: None },
        (Some("TCP4" | "TCP6"), Some(Ok(ip))) => Preamble::Proxy { used, ip: Some(ip) },
        _ => Preamble::Malformed { used },
    }
}

fn version_2(stream: &[u8]) -> Preamble {
    const HEADER: usize = 16;
    let Some([version_command, family, high, low]) = stream.get(12..HEADER) else {
        return Preamble::NeedMore;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let used = HEADER + length;
    if version_command >> 4 != 2 {
        return Preamble::Malformed {
            used: V2_SIGNATURE.len(),
        };
    }
    let Some(addresses) = stream.get(HEADER..used) else {
        return Preamble::NeedMore;
    };
    let local = version_command & 0x0f == 0;
    let ip = match family >> 4 {
        _ if local => None,
        1 => addresses
            .first_chunk::<4>()
            .map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
        2 => addresses
            .first_chunk::<16>()
            .map(|octets| IpAddr::V6(Ipv6Addr::from(*octets))),
        _ => None,
    };
    Preamble::Proxy { used, ip }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_tell_the_real_client() {
        let origin =
            Origin::parse_attributes(b"ADDR=192.0.2.9 PORT=4711 HELO=mx+2Bone.example NAME=[UNAVAILABLE] LOGIN=ann")
                .unwrap();
        assert_eq!(origin.ip, Some("192.0.2.9".parse().unwrap()));
        assert_eq!(origin.helo.as_deref(), Some("mx+one.example"));
        assert_eq!(origin.login.as_deref(), Some("ann"));
        let origin = Origin::parse_attributes(b"addr=IPV6:2001:db8::7").unwrap();
        assert_eq!(origin.ip, Some("2001:db8::7".parse().unwrap()));
        for bad in [&b""[..], b"ADDR", b"ADDR=not-an-address"] {
            assert_eq!(Origin::parse_attributes(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn both_proxy_versions_are_read_whole_and_wait_when_cut() {
        let v1 = b"PROXY TCP4 192.0.2.9 198.51.100.1 4711 25\r\n";
        let mut v2 = V2_SIGNATURE.to_vec();
        v2.extend_from_slice(&[0x21, 0x11, 0, 12, 192, 0, 2, 9, 198, 51, 100, 1, 0x12, 0x67, 0, 25]);
        for header in [&v1[..], &v2] {
            let expected = Preamble::Proxy {
                used: header.len(),
                ip: Some("192.0.2.9".parse().unwrap()),
            };
            assert_eq!(preamble(header), expected);
            assert_eq!(preamble(&[header, b"EHLO x\r\n"].concat()), expected);
            for cut in 0..header.len() {
                assert_eq!(preamble(&header[..cut]), Preamble::NeedMore, "cut at {cut}");
            }
        }
        assert_eq!(preamble(b"PROXY UNKNOWN\r\n"), Preamble::Proxy { used: 15, ip: None });
        assert_eq!(preamble(b"PROXY TCP4 nonsense\r\n"), Preamble::Malformed { used: 21 });
        assert_eq!(preamble(b"EHLO mx\r\n"), Preamble::None);
        assert_eq!(preamble(b"\r\nEHLO"), Preamble::None);
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_without_panic(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..64), kind in 0..3) {
            let start: &[u8] = [&b"PROXY "[..], V2_SIGNATURE, b""][kind as usize];
            let _ = preamble(&[start, &octets].concat());
            let _ = Origin::parse_attributes(&octets);
        }
    }
}
