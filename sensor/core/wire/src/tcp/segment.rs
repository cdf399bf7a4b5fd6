//! One TCP segment: the checked view of its header and the small record that upper layers use.

use std::net::IpAddr;

use super::seq::SeqNumber;
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IP address; IPv4 addresses mapped into IPv6 stay as they came.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
}

/// Control bits of a segment (RFC 9293 3.1), as they stand in the header's 14th octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;

    /// The sender has no more data.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }
    /// Start of a stream.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }
    /// The connection is reset.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }
    /// The acknowledgment number counts.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK != 0
    }
}

/// A TCP segment as the IP layer hands it up.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Packet time of the frame that carried it (of the last fragment, if it came in fragments).
    pub at: Timestamp,
    /// Who sent it.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// Sequence number of its first octet (of the SYN, if there is one).
    pub seq: SeqNumber,
    /// Acknowledgment number; counts only if the ACK flag is set.
    pub ack: SeqNumber,
    /// Control bits.
    pub flags: Flags,
    /// The captured payload.
    pub payload: &'a [u8],
    /// Octets of payload that the IP header promises and the snap length cut off; they follow `payload`.
    pub snapped_octets: u32,
    /// True if `payload` lies in the reassembly buffer and not in the frame.
    pub reassembled: bool,
}

impl<'a> Segment<'a> {
    /// Reads the TCP header at the start of *bytes*, the payload of an IP packet between *addresses* (source, destination).
    ///
    /// *promised_octets* is the payload length by the IP header, `>= bytes.len()`; the difference was snapped off.
    pub fn decode(
        at: Timestamp,
        addresses: (IpAddr, IpAddr),
        bytes: &'a [u8],
        promised_octets: usize,
        reassembled: bool,
    ) -> Result<Self, Anomaly> {
        const MIN_HEADER: usize = 20;
        if bytes.len() < MIN_HEADER {
            return Err(Anomaly::TcpTruncated);
        }
        let be16 = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let be32 = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let header_octets = usize::from(bytes[12] >> 4) * 4;
        if header_octets < MIN_HEADER || header_octets > promised_octets {
            return Err(Anomaly::TcpMalformed);
        }
        // Options cut off by the snap length: the payload is all missing, but its place in the stream is known.
        let payload = bytes.get(header_octets..).unwrap_or_default();
        let promised_payload = promised_octets - header_octets;
        Ok(Self {
            at,
            source: Endpoint {
                address: addresses.0,
                port: be16(0),
            },
            destination: Endpoint {
                address: addresses.1,
                port: be16(2),
            },
            seq: SeqNumber(be32(4)),
            ack: SeqNumber(be32(8)),
            flags: Flags(bytes[13]),
            payload: &payload[..payload.len().min(promised_payload)],
            snapped_octets: u32::try_from(promised_payload.saturating_sub(payload.len())).unwrap_or(u32::MAX),
            reassembled,
        })
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Anomaly, Segment, SeqNumber, Timestamp};

    const ADDRESSES: (IpAddr, IpAddr) = (
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    );

    #[rustfmt::skip]
    const WITH_OPTION: [u8; 26] = [
        0x9c, 0x40, 0x00, 0x19,                         // ports 40000, 25
        0xff, 0xff, 0xff, 0xfe, 0x00, 0x00, 0x00, 0x07, // sequence, acknowledgment
        0x60, 0x18, 0x01, 0x00, 0, 0, 0, 0,             // 24 octets of header, PSH ACK, window, checksum, urgent
        0x01, 0x01, 0x01, 0x00,                         // options
        b'H', b'I',
    ];

    fn decode(bytes: &[u8], promised: usize) -> Result<Segment<'_>, Anomaly> {
        Segment::decode(Timestamp(9), ADDRESSES, bytes, promised, false)
    }

    #[test]
    fn the_header_is_read_and_options_are_skipped() {
        let segment = decode(&WITH_OPTION, 26).expect("well formed");
        assert_eq!((segment.source.port, segment.destination.port), (40_000, 25));
        assert_eq!((segment.seq, segment.ack), (SeqNumber(u32::MAX - 1), SeqNumber(7)));
        assert!(segment.flags.ack() && !segment.flags.syn() && !segment.flags.fin() && !segment.flags.rst());
        assert_eq!((segment.payload, segment.snapped_octets), (&b"HI"[..], 0));
    }

    #[test]
    fn what_was_cut_off_and_what_is_padding_is_told_apart() {
        for (captured, promised, payload, snapped) in [
            (26, 30, &b"HI"[..], 4), // cut by the snap length
            (24, 30, b"", 6),
            (22, 30, b"", 6),  // cut inside the options
            (26, 25, b"H", 0), // padding of the link layer
            (26, 24, b"", 0),
        ] {
            let segment = decode(&WITH_OPTION[..captured], promised).expect("well formed");
            assert_eq!(
                (segment.payload, segment.snapped_octets),
                (payload, snapped),
                "{captured} of {promised}"
            );
        }
    }

    #[test]
    fn headers_that_are_cut_or_contradict_themselves_are_refused() {
        for captured in 0..20 {
            assert_eq!(decode(&WITH_OPTION[..captured], 26).err(), Some(Anomaly::TcpTruncated));
        }
        assert_eq!(decode(&WITH_OPTION, 23).err(), Some(Anomaly::TcpMalformed));
        let mut short = WITH_OPTION;
        short[12] = 0x40;
        assert_eq!(decode(&short, 26).err(), Some(Anomaly::TcpMalformed));
    }
}
