//! How a block begins and ends, whatever is in it: its type, and its length at both ends.

use crate::bounds;
use crate::byte_order::ByteOrder;
use crate::resync::Candidate;
use crate::window::Window;

/// Octets that tell this format: the type of a section header, its length, and the byte order magic.
pub(crate) const MAGIC_OCTETS: usize = 12;

/// Octets of the type and the two lengths that every block has.
const FRAMING_OCTETS: usize = 12;

/// Block types, as draft-ietf-opsawg-pcapng registers them.
pub(super) mod kind {
    /// The same in either byte order.
    pub const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    pub const INTERFACE: u32 = 1;
    pub const PACKET: u32 = 2;
    pub const SIMPLE_PACKET: u32 = 3;
    pub const NAMES: u32 = 4;
    pub const STATISTICS: u32 = 5;
    pub const ENHANCED_PACKET: u32 = 6;
    pub const JOURNAL: u32 = 9;
    pub const SECRETS: u32 = 10;
    pub const CUSTOM: u32 = 0x0000_0bad;
    pub const CUSTOM_NOT_COPIED: u32 = 0x4000_0bad;
}

/// Octets that a block of type *kind* has at least; `None` for types that are not known.
fn least_octets(kind: u32) -> Option<usize> {
    match kind {
        kind::SECTION_HEADER => Some(28),
        kind::INTERFACE => Some(20),
        kind::PACKET | kind::ENHANCED_PACKET => Some(32),
        kind::SIMPLE_PACKET | kind::CUSTOM | kind::CUSTOM_NOT_COPIED => Some(16),
        kind::STATISTICS => Some(24),
        kind::SECRETS => Some(20),
        kind::NAMES | kind::JOURNAL => Some(FRAMING_OCTETS),
        _ => None,
    }
}

/// The byte order of the section whose header *bytes* start with; `None` if they don't.
pub(crate) fn section_byte_order(bytes: &[u8]) -> Option<ByteOrder> {
    let first = bytes.first_chunk::<MAGIC_OCTETS>()?;
    if ByteOrder::Big.u32(first, 0) != kind::SECTION_HEADER {
        return None;
    }
    [ByteOrder::Big, ByteOrder::Little]
        .into_iter()
        .find(|order| order.u32(first, 8) == 0x1a2b_3c4d)
}

/// The framing of a block, its lengths unbelieved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    pub kind: u32,
    pub octets: usize,
    /// `None` for a section header whose byte order magic is neither.
    pub order: Option<ByteOrder>,
}

impl Framing {
    /// The framing of the block at *at* of a section in byte *order*; `None` if there are too few octets to tell.
    #[inline]
    pub fn at(window: &Window<'_>, at: usize, order: ByteOrder) -> Option<Self> {
        let raw = window.array::<MAGIC_OCTETS>(at)?;
        let kind = order.u32(raw, 0);
        let order = if kind == kind::SECTION_HEADER {
            section_byte_order(raw)
        } else {
            Some(order)
        };
        let octets = order.map_or(0, |order| order.u32(raw, 4) as usize);
        Some(Self { kind, octets, order })
    }

    /// Whether a block of a known type, whose lengths agree, starts at *at*. Blocks lie at multiples of four in a whole
    /// file; octets lost or files cut and put behind each other shift them, so every place is worth a look.
    #[inline]
    pub fn candidate(window: &Window<'_>, at: usize, order: ByteOrder) -> Candidate {
        let beyond = if window.is_last() {
            Candidate::No
        } else {
            Candidate::NeedMore
        };
        let Some(framing) = Self::at(window, at, order) else {
            return beyond;
        };
        let is_known = least_octets(framing.kind).is_some();
        if !is_known || framing.octets > bounds::BLOCK_OCTETS || framing.check().is_err() {
            return Candidate::No;
        }
        match framing.closing(window, at) {
            None => beyond,
            Some(closing) if closing == framing.octets => Candidate::Yes,
            Some(_) => Candidate::No,
        }
    }

    /// True for kinds that hold neither packets nor what is needed to read them.
    pub fn is_passed_over(&self) -> bool {
        matches!(
            self.kind,
            kind::NAMES | kind::STATISTICS | kind::JOURNAL | kind::SECRETS | kind::CUSTOM | kind::CUSTOM_NOT_COPIED
        )
    }

    /// Whether the type and the first length can be true.
    pub fn check(&self) -> Result<(), String> {
        let Self { kind, octets, .. } = self;
        let least = least_octets(*kind).unwrap_or(FRAMING_OCTETS);
        if self.order.is_none() {
            return Err("a section header has neither byte order magic".into());
        }
        if *octets < least || octets % 4 != 0 {
            return Err(format!("a block of type {kind} claims {octets} octets"));
        }
        Ok(())
    }

    /// The second length, at the end of the block at *at*, if its first one passed [`Framing::check`]; `None` if the block
    /// goes on beyond the window.
    #[inline]
    pub fn closing(&self, window: &Window<'_>, at: usize) -> Option<usize> {
        let raw = window.array::<4>((at + self.octets).saturating_sub(4))?;
        Some(self.order?.u32(raw, 0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::End;

    #[test]
    fn a_candidate_needs_a_known_type_and_two_equal_lengths() {
        let block = b"\0\0\0\x03\0\0\0\x10\0\0\0\0\0\0\0\x10";
        let unknown = b"\0\0\0\x63\0\0\0\x10\0\0\0\0\0\0\0\x10";
        let unequal = b"\0\0\0\x03\0\0\0\x10\0\0\0\0\0\0\0\x14";
        let short = b"\0\0\0\x03\0\0\0\x0c\0\0\0\x0c";
        let cases: &[(&[u8], End, Candidate)] = &[
            (block, End::Open, Candidate::Yes),
            (block, End::OfFile, Candidate::Yes),
            (&block[..15], End::Open, Candidate::NeedMore),
            (&block[..15], End::OfFile, Candidate::No),
            (&block[..11], End::Open, Candidate::NeedMore),
            (unknown, End::Open, Candidate::No),
            (unequal, End::Open, Candidate::No),
            (short, End::Open, Candidate::No),
        ];
        for (bytes, end, expected) in cases {
            let window = Window {
                bytes,
                origin: 0,
                end: *end,
            };
            assert_eq!(
                Framing::candidate(&window, 0, ByteOrder::Big),
                *expected,
                "{bytes:x?} {end:?}"
            );
        }
    }
}
