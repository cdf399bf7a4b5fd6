//! Arbitrary octets as TCP segments of a few flows: in and out of order, again, overlapping, lost, reset, late.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use wire::frame::Timestamp;
use wire::tcp::segment::{Endpoint, Flags, Segment};
use wire::tcp::seq::SeqNumber;

use crate::dialogue::{COMMANDS, REPLIES};
use crate::Choices;

/// Flows that the segments belong to.
const FLOWS: usize = 6;

/// One way of a flow: the number of its next octet.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    next: u32,
}

/// Makes segments out of octets, each where its flow stands or somewhere near.
#[derive(Debug)]
pub struct Segments<'a> {
    choices: Choices<'a>,
    ways: [[Way; 2]; FLOWS],
    at: Timestamp,
}

/// What a segment is made of, with its payload owned or borrowed.
#[derive(Debug)]
pub struct Made<'a> {
    /// The payload.
    pub payload: Cow<'a, [u8]>,
    /// Everything else.
    pub head: Segment<'static>,
}

impl Made<'_> {
    /// The segment.
    #[must_use]
    pub fn segment(&self) -> Segment<'_> {
        Segment {
            payload: &self.payload,
            ..self.head
        }
    }
}

impl<'a> Segments<'a> {
    /// Segments out of *octets*.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Self {
            choices: Choices(octets),
            // Near the end of the numbers, so that they wrap.
            ways: [[Way { next: 0xffff_ff00 }; 2]; FLOWS],
            at: Timestamp(1_000_000_000_000),
        }
    }

    /// How much packet time passes: mostly little, at times more than any timeout, at times less than nothing.
    fn step_ns(choice: u8) -> i64 {
        match choice {
            0..=199 => 1_000_000,
            200..=229 => 900_000_000,
            230..=249 => 70_000_000_000,
            250..=253 => 700_000_000_000,
            _ => -5_000_000_000,
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Made<'a>;

    fn next(&mut self) -> Option<Made<'a>> {
        let choice = self.choices.octet()?;
        let flow = usize::from(choice >> 1) % FLOWS;
        let side = usize::from(choice & 1);
        self.at = self.at.plus_ns(Self::step_ns(self.choices.octet()?));
        let flags = flags(self.choices.octet()?);
        let payload = payload(&mut self.choices, side);
        let snapped_octets = if choice >= 250 {
            u32::from(self.choices.number())
        } else {
            0
        };
        let way = &mut self.ways[flow][side];
        let seq = match self.choices.octet().unwrap_or(0) {
            0..=159 => way.next,
            near @ 160..=249 => way.next.wrapping_add(u32::from(near)).wrapping_sub(200),
            _ => u32::from(self.choices.number()) << 16,
        };
        if seq == way.next {
            let numbers = payload.len() as u32 + snapped_octets + u32::from(flags.syn()) + u32::from(flags.fin());
            way.next = seq.wrapping_add(numbers);
        }
        let ack = self.ways[flow][1 - side].next;
        let ends = [end(1, 40_000 + flow as u16), end(2, if flow < 3 { 25 } else { 50_025 })];
        let head = Segment {
            at: self.at,
            source: ends[side],
            destination: ends[1 - side],
            seq: SeqNumber(seq),
            ack: SeqNumber(if choice % 13 == 0 { ack.wrapping_add(9) } else { ack }),
            flags,
            payload: &[],
            snapped_octets,
            reassembled: false,
        };
        Some(Made { payload, head })
    }
}

fn flags(choice: u8) -> Flags {
    Flags(match choice {
        0..=199 => 0x18,
        200..=219 => 0x02,
        220..=229 => 0x12,
        230..=239 => 0x11,
        240..=244 => 0x04,
        _ => choice,
    })
}

fn payload<'a>(choices: &mut Choices<'a>, side: usize) -> Cow<'a, [u8]> {
    let phrases = if side == 0 { COMMANDS } else { REPLIES };
    match choices.octet().unwrap_or(0) {
        0 => Cow::Borrowed(&[]),
        phrase @ 1..=199 => Cow::Borrowed(phrases[usize::from(phrase) % phrases.len()]),
        length @ 200..=249 => Cow::Borrowed(choices.octets(usize::from(length - 199))),
        length => Cow::Owned(vec![b'x'; usize::from(length - 249) * 100]),
    }
}

const fn end(last: u8, port: u16) -> Endpoint {
    Endpoint {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        port,
    }
}
