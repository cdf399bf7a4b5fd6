//! The way from a frame to the TCP segment in it: header after header, until TCP, a fragment, or something else.
//!
//! Each header says what follows it ([`Next`]); the loop here walks that chain, so tunnels nest in any order without
//! recursion, to the depth of `Limits::encapsulations`. A fragment leaves the walk and waits in the [`Defragmenter`];
//! the datagram it completes is walked on from there, and may again hold a tunnel with fragments.
//!
//! Every frame ends in one of the ways of [`End`], or as a segment, and is counted there once.

use std::net::{IpAddr, Ipv4Addr};

use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::frame::{Frame, LinkType, Timestamp};
use crate::ip::defrag::{Defragmenter, Fragment, Version};
use crate::ip::{authentication, extension, v4, v6, Packet, Place};
use crate::limits::Limits;
use crate::link::{self, Next};
use crate::tcp::segment::Segment;

/// Decodes frames, and keeps what waits for further fragments.
#[derive(Debug)]
pub struct Decoder {
    defragmenter: Defragmenter,
    /// The payload of the last reassembled datagram that held a segment; at most 64 KiB.
    reassembled: Vec<u8>,
    limits: Allowance,
}

impl Decoder {
    /// A decoder with the bounds of *limits*, which waits for no fragments yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            defragmenter: Defragmenter::new(limits),
            reassembled: Vec::new(),
            limits: Allowance {
                headers: limits.encapsulations,
                extensions: limits.ipv6_extension_headers,
                extensions_per_packet: limits.ipv6_extension_headers,
            },
        }
    }

    /// The TCP segment that *frame* carries, or completes as the last of its fragments.
    ///
    /// Its payload lies in the frame, or in this decoder if it came in fragments. Counts the frame, where it ended, and
    /// what was odd on the way.
    pub fn decode<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
    ) -> Option<Segment<'a>> {
        count_frame(frame, counters);
        match self.segment_of(frame, counters, anomalies) {
            Ok(segment) => {
                Some(segment)
            }
            Err(end) => {
                end.count(counters, anomalies);
                None
            }
        }
    }

    /// Gives up the datagrams that are unfinished, and counts them: the capture is over.
    pub fn finish(&mut self, counters: &mut Counters, anomalies: &mut AnomalyCounts) {
        self.defragmenter.finish(counters, anomalies);
    }

    #[inline]
    fn segment_of<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
    ) -> Result<Segment<'a>, End> {
        let mut allowance = self.limits;
        let start = Position::at_link(frame)?;
        match walk(start, &mut allowance, anomalies)? {
            Found::Tcp(payload) => payload.segment(frame.at, false),
            Found::Fragment(fragment) => {
                self.reassemble(frame.at, &fragment, allowance, counters, anomalies)
            }
        }
    }

    /// Hands *fragment* to the defragmenter and walks on in the datagram it completes, as often as that is a fragment.
    #[cold]
    fn reassemble<'a>(
        &'a mut self,
        at: Timestamp,
        fragment: &Fragment<'_>,
        mut allowance: Allowance,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
    ) -> Result<Segment<'a>, End> {
        let mut addresses = fragment.addresses;
        let mut whole = self
            .defragmenter
            .push(at, fragment, counters, anomalies)
            .ok_or(End::Held)?;
        let (addresses, snapped) = loop {
            let start = Position {
                next: whole.next,
                bytes: &whole.octets,
                snapped: whole.snapped,
                addresses,
                inside_ip: true,
            };
            let inner = match walk(start, &mut allowance, anomalies)? {
                Found::Tcp(found) => {
                    self.reassembled.clear();
                    self.reassembled.extend_from_slice(found.bytes);
                    break (found.addresses, found.snapped);
                }
                Found::Fragment(inner) => inner,
            };
            addresses = inner.addresses;
            whole = self
                .defragmenter
                .push(at, &inner, counters, anomalies)
                .ok_or(End::Held)?;
        };
        let bytes = &self.reassembled;
        TcpPayload {
            addresses,
            bytes,
            snapped,
        }
        .segment(at, true)
    }
}

/// Decodes arbitrary octets, for fuzzing: the first picks the link type, then come frames, each behind its length in two
/// octets; a last length that promises more makes a frame cut by the snap length.
///
/// Gives what was counted, in which every frame ended in one way.
#[must_use]
pub fn decode_arbitrary(octets: &[u8]) -> Counters {
    let link_types: Vec<u32> = link::ROWS
        .iter()
        .filter(|row| row.space == "link_type")
        .map(|row| row.key)
        .collect();
    let mut counters = Counters::default();
    let mut anomalies = AnomalyCounts::default();
    let mut decoder = Decoder::new(&Limits::default());
    let Some((choice, mut rest)) = octets.split_first() else {
        return counters;
    };
    let link_type = LinkType(link_types[usize::from(*choice) % link_types.len()]);
    while let Some((length, bytes)) = rest.split_first_chunk::<2>() {
        let original_octets = u16::from_be_bytes(*length);
        let (bytes, behind) = bytes.split_at(bytes.len().min(original_octets.into()));
        let at = Timestamp(i64::try_from(counters.frames).unwrap_or(i64::MAX));
        let frame = Frame {
            at,
            link_type,
            bytes,
            original_octets: original_octets.into(),
        };
        decoder.decode(&frame, &mut counters, &mut anomalies);
        rest = behind;
    }
    decoder.finish(&mut counters, &mut anomalies);
    counters
}

/// How many headers may still come.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// Of any kind but IPv6 extension headers, in this frame.
    headers: usize,
    /// IPv6 extension headers, in the packet at hand.
    extensions: usize,
    /// What each packet starts with.
    extensions_per_packet: usize,
}

/// How the way of a frame ends without a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    UnsupportedLink,
    /// No IP in it.
    NotIp,
    /// IP, but neither TCP nor a tunnel that we read.
    NotTcp,
    TooDeep,
    /// A fragment that completes no datagram.
    Held,
    Malformed(Anomaly),
}

impl From<Anomaly> for End {
    fn from(anomaly: Anomaly) -> Self {
        Self::Malformed(anomaly)
    }
}

impl End {
    fn count(self, counters: &mut Counters, anomalies: &mut AnomalyCounts) {
        let (counter, anomaly) = match self {
            Self::UnsupportedLink => (
                &mut counters.frames_unsupported_link,
                Some(Anomaly::LinkUnsupported),
            ),
            Self::NotIp => (&mut counters.frames_not_ip, None),
            Self::NotTcp => (&mut counters.packets_not_tcp, None),
            Self::TooDeep => (
                &mut counters.frames_nested_too_deep,
                Some(Anomaly::LinkNestedTooDeep),
            ),
            Self::Held => (&mut counters.frames_held, None),
            Self::Malformed(anomaly) => (&mut counters.frames_malformed, Some(anomaly)),
        };
        *counter += 1;
        if let Some(anomaly) = anomaly {
            anomalies.note(anomaly);
        }
    }
}

fn count_frame(frame: &Frame<'_>, counters: &mut Counters) {
    counters.frames += 1;
    counters.frame_octets += frame.bytes.len() as u64;
    counters.frames_snapped += u64::from(octets_snapped(frame) > 0);
}

/// Octets of *frame* that were on the wire behind the captured ones; none if the capture contradicts itself.
fn octets_snapped(frame: &Frame<'_>) -> usize {
    (frame.original_octets as usize).saturating_sub(frame.bytes.len())
}

/// How far the walk came.
#[derive(Clone, Copy, Debug)]
struct Position<'a> {
    /// What `bytes` are.
    next: Next,
    bytes: &'a [u8],
    /// Octets that were on the wire behind `bytes`.
    snapped: usize,
    /// Source and destination of the innermost IP header so far.
    addresses: (IpAddr, IpAddr),
    /// True if there was one.
    inside_ip: bool,
}

/// What the walk ends at.
#[derive(Debug)]
enum Found<'a> {
    Tcp(TcpPayload<'a>),
    Fragment(Fragment<'a>),
}

/// What an IP packet carries that says it carries TCP.
#[derive(Debug)]
struct TcpPayload<'a> {
    addresses: (IpAddr, IpAddr),
    bytes: &'a [u8],
    snapped: usize,
}

impl<'a> TcpPayload<'a> {
    #[inline]
    fn segment(&self, at: Timestamp, reassembled: bool) -> Result<Segment<'a>, End> {
        let promised = self.bytes.len().saturating_add(self.snapped);
        Ok(Segment::decode(
            at,
            self.addresses,
            self.bytes,
            promised,
            reassembled,
        )?)
    }
}

impl<'a> Position<'a> {
    #[inline]
    fn at_link(frame: &Frame<'a>) -> Result<Self, End> {
        const NONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        match link::link_type(frame.link_type.0) {
            Next::Other => Err(End::UnsupportedLink),
            next => Ok(Self {
                next,
                bytes: frame.bytes,
                snapped: octets_snapped(frame),
                addresses: (NONE, NONE),
                inside_ip: false,
            }),
        }
    }

    /// Goes on inside *packet*.
    #[inline]
    fn enter(&mut self, packet: &Packet<'a>, anomalies: &mut AnomalyCounts) {
        if packet.snapped > self.snapped {
            anomalies.note(Anomaly::IpLongerThanFrame);
        }
        *self = Self {
            next: packet.next,
            bytes: packet.payload,
            snapped: packet.snapped,
            addresses: packet.addresses,
            inside_ip: true,
        };
    }

    /// What is here belongs at *place* of a datagram.
    #[cold]
    fn fragment(&self, version: Version, place: Place) -> Found<'a> {
        Found::Fragment(Fragment {
            addresses: self.addresses,
            version,
            next: self.next,
            place,
            octets: self.bytes,
            snapped: self.snapped,
        })
    }
}

/// Takes header after header off *here*, until TCP or a fragment.
#[inline]
fn walk<'a>(
    mut here: Position<'a>,
    allowance: &mut Allowance,
    anomalies: &mut AnomalyCounts,
) -> Result<Found<'a>, End> {
    loop {
        let left = match here.next {
            Next::Ipv6Extension | Next::Ipv6Fragment => &mut allowance.extensions,
            _ => &mut allowance.headers,
        };
        match here.next {
            Next::Tcp => {
                let Position {
                    addresses,
                    bytes,
                    snapped,
                    ..
                } = here;
                return Ok(Found::Tcp(TcpPayload {
                    addresses,
                    bytes,
                    snapped,
                }));
            }
            Next::Other if here.inside_ip => return Err(End::NotTcp),
            Next::Other => return Err(End::NotIp),
            _ => *left = left.checked_sub(1).ok_or(End::TooDeep)?,
        }
        match here.next {
            Next::Encapsulation(each) => (here.next, here.bytes) = each.decode(here.bytes)?,
            Next::Ipv4 => {
                let packet = v4::decode(here.bytes, here.snapped)?;
                here.enter(&packet, anomalies);
                if let Some(place) = packet.place {
                    let protocol = packet.protocol;
                    return Ok(here.fragment(Version::V4 { protocol }, place));
                }
            }
            Next::Ipv6 => {
                allowance.extensions = allowance.extensions_per_packet;
                let packet = v6::decode(here.bytes, here.snapped)?;
                here.enter(&packet, anomalies);
            }
            Next::Ipv6Fragment => {
                let place;
                (here.next, place, here.bytes) = v6::decode_fragment(here.bytes)?;
                if let Some(place) = place {
                    return Ok(here.fragment(Version::V6, place));
                }
            }
            Next::Ipv6Extension => (here.next, here.bytes) = extension::decode(here.bytes)?,
            Next::Authentication => (here.next, here.bytes) = authentication::decode(here.bytes)?,
            Next::Tcp | Next::Other => {}
        }
    }
}
