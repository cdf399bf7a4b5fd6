//! What lies in a block of the ring (`linux/if_packet.h`, `struct tpacket_block_desc` and `struct tpacket3_hdr`).
//!
//! ```text
//! block head | frame head, link header .. | frame head, link header .. | ...
//! ```
//!
//! The kernel writes it, so it is true; each offset is still checked against the block.

use wire::frame::Timestamp;

mod field {
    // Of a block: 0..4 version, 4..8 private area, 8..12 status
    pub const FRAMES: usize = 12;
    pub const FIRST_FRAME: usize = 16;
    // Of a frame:
    pub const NEXT: usize = 0;
    pub const SECONDS: usize = 4;
    pub const NANOSECONDS: usize = 8;
    pub const CAPTURED: usize = 12;
    pub const ORIGINAL: usize = 16;
    pub const STATUS: usize = 20;
    pub const START: usize = 24;
}

/// Set in a frame's status if the kernel, or the network card, took a VLAN tag off it (`TP_STATUS_VLAN_VALID`).
const TAG_TAKEN_OFF: u32 = 1 << 4;

/// Where in a block to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Frames still to be read.
    pub left: u32,
    at: usize,
}

/// One frame of a block. Invariant: `start + captured` lies in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the kernel saw it.
    pub seen_at: Timestamp,
    start: usize,
    captured: usize,
    /// Octets on the wire.
    pub original: u32,
    /// True if a VLAN tag was taken off.
    pub was_tagged: bool,
    next: usize,
}

impl Cursor {
    /// The start of *block*.
    pub fn new(block: &[u8]) -> Self {
        Self {
            left: u32_at(block, field::FRAMES).unwrap_or(0),
            at: u32_at(block, field::FIRST_FRAME).unwrap_or(u32::MAX) as usize,
        }
    }

    /// The frame here; none at the end, or where *block* contradicts itself, which `left` then tells.
    #[inline]
    pub fn frame(&self, block: &[u8]) -> Option<Place> {
        if self.left == 0 {
            return None;
        }
        let head = block.get(self.at..)?;
        let start = self.at.checked_add(usize::from(u16_at(head, field::START)?))?;
        let captured = u32_at(head, field::CAPTURED)? as usize;
        block.get(start..start.checked_add(captured)?)?;
        let seconds = i64::from(u32_at(head, field::SECONDS)?);
        Some(Place {
            seen_at: Timestamp(seconds * 1_000_000_000).plus_ns(i64::from(u32_at(head, field::NANOSECONDS)?)),
            start,
            captured,
            original: u32_at(head, field::ORIGINAL)?,
            was_tagged: u32_at(head, field::STATUS)? & TAG_TAKEN_OFF != 0,
            next: self.at.saturating_add(u32_at(head, field::NEXT)? as usize),
        })
    }

    /// Goes on behind *place*.
    #[inline]
    pub fn step(&mut self, place: &Place) {
        self.at = place.next;
        self.left = self.left.saturating_sub(1);
    }
}

impl Place {
    /// The frame's octets in *block*.
    #[inline]
    pub fn bytes<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        block.get(self.start..self.start + self.captured).unwrap_or(&[])
    }
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let octets = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*octets))
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let octets = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*octets))
}
