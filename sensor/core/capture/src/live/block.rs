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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A block with *frames*, each with the status it is to have, laid out as the kernel does.
    fn block_of(frames: &[(&[u8], u32)]) -> Vec<u8> {
        const HEAD: usize = 48;
        const FRAME_HEAD: usize = 82;
        let mut block = vec![0; HEAD];
        block[field::FRAMES..field::FRAMES + 4].copy_from_slice(&(frames.len() as u32).to_ne_bytes());
        block[field::FIRST_FRAME..field::FIRST_FRAME + 4].copy_from_slice(&(HEAD as u32).to_ne_bytes());
        for (number, (bytes, status)) in frames.iter().enumerate() {
            let octets = (FRAME_HEAD + bytes.len()).next_multiple_of(8);
            let mut head = vec![0; octets];
            let mut put = |at: usize, value: u32| head[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            put(field::NEXT, octets as u32);
            put(field::SECONDS, 7);
            put(field::NANOSECONDS, number as u32);
            put(field::CAPTURED, bytes.len() as u32);
            put(field::ORIGINAL, 1_500);
            put(field::STATUS, *status);
            head[field::START..field::START + 2].copy_from_slice(&(FRAME_HEAD as u16).to_ne_bytes());
            head[FRAME_HEAD..FRAME_HEAD + bytes.len()].copy_from_slice(bytes);
            block.extend(head);
        }
        block
    }

    fn read(block: &[u8]) -> Vec<(i64, Vec<u8>, u32, bool)> {
        let mut cursor = Cursor::new(block);
        let mut frames = Vec::new();
        while let Some(place) = cursor.frame(block) {
            let bytes = place.bytes(block).to_vec();
            frames.push((place.seen_at.0, bytes, place.original, place.was_tagged));
            cursor.step(&place);
        }
        frames
    }

    #[test]
    fn frames_are_read_in_order_with_time_length_and_tag() {
        let block = block_of(&[(b"first", 1), (b"", 1 | TAG_TAKEN_OFF), (b"third", 1)]);
        assert_eq!(
            read(&block),
            [
                (7_000_000_000, b"first".to_vec(), 1_500, false),
                (7_000_000_001, Vec::new(), 1_500, true),
                (7_000_000_002, b"third".to_vec(), 1_500, false),
            ]
        );
        assert_eq!(read(&block_of(&[])), []);
    }

    proptest! {
        #[test]
        fn no_octets_lead_out_of_the_block(changes in prop::collection::vec((0_usize..300, any::<u8>()), 0..20), cut in 0_usize..300) {
            let mut block = block_of(&[(b"one", 1), (b"two", 1), (b"three", 1)]);
            for (place, octet) in changes {
                if let Some(changed) = block.get_mut(place) {
                    *changed = octet;
                }
            }
            block.truncate(cut);
            let mut cursor = Cursor::new(&block);
            // A damaged count may promise as many frames as it likes: the block's length ends the reading.
            for _ in 0..1_000 {
                let Some(place) = cursor.frame(&block) else { break };
                prop_assert!(place.bytes(&block).len() <= block.len());
                cursor.step(&place);
            }
        }
    }
}
