//! The way from a frame to the TCP segment in it: header after header, until TCP, a fragment, or something else.
//!
//! Each header says what follows it; `walk` follows that chain in one loop, so tunnels nest in any order without
//! recursion, to the depth of `Limits::encapsulations`. A fragment leaves the walk and waits in the [`Defragmenter`];
//! the datagram it completes is walked on from there, and may again hold a tunnel with fragments.
//!
//! Every frame ends in one of the ways of `End`, or as a segment, and is counted there once.

mod walk;

use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::frame::{Frame, LinkType, Timestamp};
use crate::ip::defrag::{Datagram, Defragmenter};
use crate::limits::Limits;
use crate::link;
use crate::tcp::segment::Segment;
use walk::{Allowance, Position, Stop};

/// Decodes frames, and keeps what waits for further fragments.
#[derive(Debug)]
pub struct Decoder {
    defragmenter: Defragmenter,
    /// The TCP header and payload that the last completed datagram held; at most 64 KiB.
    reassembled: Vec<u8>,
    allowance: Allowance,
}

impl Decoder {
    /// A decoder with the bounds of *limits*, which waits for no fragments yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            defragmenter: Defragmenter::new(limits),
            reassembled: Vec::new(),
            allowance: Allowance::new(limits),
        }
    }

    /// The TCP segment that *frame* carries, or completes as the last of its fragments.
    ///
    /// Its payload lies in the frame, or in this decoder if it came in fragments. Counts the frame, where it ended, and
    /// what was odd on the way.
    #[inline]
    pub fn decode<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
    ) -> Option<Segment<'a>> {
        count_frame(frame, counters);
        match self.segment_of(frame, counters, anomalies) {
            Ok(segment) => {
                counters.segments += 1;
                counters.segment_octets += segment.payload.len() as u64;
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
        let mut here = Position::at_link(frame).ok_or(End::UnsupportedLink)?;
        let mut allowance = self.allowance;
        match here.walk(&mut allowance, anomalies)? {
            Stop::Tcp => Ok(here.segment(frame.at, false)?),
            Stop::Fragment(fragment) => {
                let whole = self
                    .defragmenter
                    .push(frame.at, &here.fragment(fragment), counters, anomalies)
                    .ok_or(End::Held)?;
                self.segment_of_datagram(frame.at, whole, allowance, counters, anomalies)
            }
        }
    }

    /// Walks on in *whole*, and in the datagram that completes if it holds a fragment itself, and so on.
    #[cold]
    fn segment_of_datagram<'a>(
        &'a mut self,
        at: Timestamp,
        mut whole: Datagram,
        mut allowance: Allowance,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
    ) -> Result<Segment<'a>, End> {
        loop {
            let mut here = Position::in_datagram(&whole);
            match here.walk(&mut allowance, anomalies)? {
                Stop::Fragment(fragment) => {
                    whole = self
                        .defragmenter
                        .push(at, &here.fragment(fragment), counters, anomalies)
                        .ok_or(End::Held)?;
                }
                Stop::Tcp => {
                    self.reassembled.clear();
                    self.reassembled.extend_from_slice(here.bytes);
                    return Ok(here.moved_to(&self.reassembled).segment(at, true)?);
                }
            }
        }
    }
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
            Self::UnsupportedLink => (&mut counters.frames_unsupported_link, Some(Anomaly::LinkUnsupported)),
            Self::NotIp => (&mut counters.frames_not_ip, None),
            Self::NotTcp => (&mut counters.packets_not_tcp, None),
            Self::TooDeep => (&mut counters.frames_nested_too_deep, Some(Anomaly::LinkNestedTooDeep)),
            Self::Held => (&mut counters.frames_held, None),
            Self::Malformed(anomaly) => (&mut counters.frames_malformed, Some(anomaly)),
        };
        *counter += 1;
        if let Some(anomaly) = anomaly {
            anomalies.note(anomaly);
        }
    }
}

#[inline]
fn count_frame(frame: &Frame<'_>, counters: &mut Counters) {
    counters.frames += 1;
    counters.frame_octets += frame.bytes.len() as u64;
    counters.frames_snapped += u64::from(octets_snapped(frame) > 0);
}

/// Octets of *frame* that were on the wire behind the captured ones; none if the capture contradicts itself.
#[inline]
fn octets_snapped(frame: &Frame<'_>) -> usize {
    (frame.original_octets as usize).saturating_sub(frame.bytes.len())
}

/// Decodes arbitrary octets, for fuzzing: the first picks the link type, then come frames, each behind its length in two
/// octets; a last length that promises more makes a frame cut by the snap length.
///
/// Gives what was counted, in which every frame ended in one way.
#[must_use]
pub fn decode_arbitrary(octets: &[u8]) -> Counters {
    /// Slow enough that a few dozen frames outlast the reassembly time.
    const NS_PER_FRAME: i64 = 1_000_000_000;
    let mut counters = Counters::default();
    let mut anomalies = AnomalyCounts::default();
    let mut decoder = Decoder::new(&Limits::default());
    let Some((choice, mut rest)) = octets.split_first() else {
        return counters;
    };
    let link_type = arbitrary_link_type(*choice);
    let mut at = Timestamp::default();
    while let Some((length, bytes)) = rest.split_first_chunk::<2>() {
        let original_octets = u32::from(u16::from_be_bytes(*length));
        let (bytes, behind) = bytes.split_at(bytes.len().min(original_octets as usize));
        let frame = Frame {
            at,
            link_type,
            bytes,
            original_octets,
        };
        decoder.decode(&frame, &mut counters, &mut anomalies);
        at = at.plus_ns(NS_PER_FRAME);
        rest = behind;
    }
    decoder.finish(&mut counters, &mut anomalies);
    counters
}

fn arbitrary_link_type(choice: u8) -> LinkType {
    let link_types = || link::ROWS.iter().filter(|row| row.space == "link_type");
    let index = usize::from(choice) % link_types().count().max(1);
    LinkType(link_types().nth(index).map_or(u32::MAX, |row| row.key))
}
