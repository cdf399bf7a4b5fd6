//! The loop that takes header after header off a frame, and the position it moves.

use std::net::{IpAddr, Ipv4Addr};

use super::{octets_snapped, End};
use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::frame::{Frame, Timestamp};
use crate::ip::defrag::{Datagram, Fragment, Version};
use crate::ip::{authentication, extension, v4, v6, Packet, Place};
use crate::limits::Limits;
use crate::link::{self, Next};
use crate::tcp::segment::Segment;

/// How many headers may still come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Of any kind but IPv6 extension headers, in this frame and in what it completes.
    headers: usize,
    /// IPv6 extension headers, in the packet at hand.
    extensions: usize,
    /// What each packet starts with.
    extensions_per_packet: usize,
}

impl Allowance {
    pub fn new(limits: &Limits) -> Self {
        Self {
            headers: limits.encapsulations,
            extensions: limits.ipv6_extension_headers,
            extensions_per_packet: limits.ipv6_extension_headers,
        }
    }

    /// Takes one header of the kind *next* off what is left.
    #[inline]
    fn spend(&mut self, next: Next) -> Result<(), End> {
        let left = match next {
            Next::Ipv6Extension | Next::Ipv6Fragment => &mut self.extensions,
            _ => &mut self.headers,
        };
        *left = left.checked_sub(1).ok_or(End::TooDeep)?;
        Ok(())
    }
}

/// What the walk stops at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// A TCP header comes next.
    Tcp,
    /// A piece of a datagram comes next.
    Fragment(Piece),
}

/// Where a piece belongs, and by which rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    version: Version,
    place: Place,
}

/// How far the walk came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position<'a> {
    /// What `bytes` are.
    next: Next,
    /// What was captured behind the headers so far.
    pub bytes: &'a [u8],
    /// Octets that were on the wire behind `bytes`.
    snapped: usize,
    /// Source and destination of the innermost IP header so far.
    addresses: (IpAddr, IpAddr),
    /// True if there was one.
    inside_ip: bool,
}

impl<'a> Position<'a> {
    /// The start of *frame*; none if its link type is not supported.
    #[inline]
    pub fn at_link(frame: &Frame<'a>) -> Option<Self> {
        const NONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        match link::link_type(frame.link_type.0) {
            Next::Other => None,
            next => Some(Self {
                next,
                bytes: frame.bytes,
                snapped: octets_snapped(frame),
                addresses: (NONE, NONE),
                inside_ip: false,
            }),
        }
    }

    /// The start of what *datagram* carries.
    pub fn in_datagram(datagram: &'a Datagram) -> Self {
        Self {
            next: datagram.next,
            bytes: &datagram.octets,
            snapped: datagram.snapped,
            addresses: datagram.addresses,
            inside_ip: true,
        }
    }

    /// The same place, in *bytes* that are a copy.
    pub fn moved_to(self, bytes: &[u8]) -> Position<'_> {
        Position { bytes, ..self }
    }

    /// Takes header after header off, until TCP or a fragment comes next.
    #[inline]
    pub fn walk(&mut self, allowance: &mut Allowance, anomalies: &mut AnomalyCounts) -> Result<Stop, End> {
        loop {
            match self.next {
                Next::Tcp => return Ok(Stop::Tcp),
                Next::Other if self.inside_ip => return Err(End::NotTcp),
                Next::Other => return Err(End::NotIp),
                next => allowance.spend(next)?,
            }
            if let Some(piece) = self.step(allowance, anomalies)? {
                return Ok(Stop::Fragment(piece));
            }
        }
    }

    /// Takes one header off; gives the place in its datagram if what follows is only a piece of one.
    #[inline]
    fn step(&mut self, allowance: &mut Allowance, anomalies: &mut AnomalyCounts) -> Result<Option<Piece>, Anomaly> {
        (self.next, self.bytes) = match self.next {
            Next::Encapsulation(each) => each.decode(self.bytes)?,
            Next::Ipv6Extension => extension::decode(self.bytes)?,
            Next::Authentication => authentication::decode(self.bytes)?,
            Next::Ipv4 => {
                let packet = v4::decode(self.bytes, self.snapped)?;
                self.enter(&packet, anomalies);
                let protocol = packet.protocol;
                return Ok(packet.place.map(|place| Piece {
                    version: Version::V4 { protocol },
                    place,
                }));
            }
            Next::Ipv6 => {
                allowance.extensions = allowance.extensions_per_packet;
                let packet = v6::decode(self.bytes, self.snapped)?;
                self.enter(&packet, anomalies);
                return Ok(None);
            }
            Next::Ipv6Fragment => {
                let place;
                (self.next, place, self.bytes) = v6::decode_fragment(self.bytes)?;
                return Ok(place.map(|place| Piece {
                    version: Version::V6,
                    place,
                }));
            }
            Next::Tcp | Next::Other => (self.next, self.bytes),
        };
        Ok(None)
    }

    /// Goes on inside *packet*.
    #[inline]
    fn enter(&mut self, packet: &Packet<'a>, anomalies: &mut AnomalyCounts) {
        if packet.snapped > self.snapped {
            anomalies.note(Anomaly::IpLongerThanFrame);
        }
        self.next = packet.next;
        self.bytes = packet.payload;
        self.snapped = packet.snapped;
        self.addresses = packet.addresses;
        self.inside_ip = true;
    }

    /// What is here, as *piece* of its datagram.
    #[cold]
    pub fn fragment(&self, piece: Piece) -> Fragment<'a> {
        Fragment {
            addresses: self.addresses,
            version: piece.version,
            next: self.next,
            place: piece.place,
            octets: self.bytes,
            snapped: self.snapped,
        }
    }

    /// What is here, as a TCP segment.
    #[inline]
    pub fn segment(&self, at: Timestamp, reassembled: bool) -> Result<Segment<'a>, Anomaly> {
        let promised = self.bytes.len().saturating_add(self.snapped);
        Segment::decode(at, self.addresses, self.bytes, promised, reassembled)
    }
}
