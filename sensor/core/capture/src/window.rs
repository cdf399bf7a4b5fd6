//! What a format sees of its file at one moment, and what it answers.

use wire::frame::{LinkType, Timestamp};

use crate::batch::FrameMeta;

/// The part of the file that is in memory.
pub(crate) struct Window<'a> {
    /// The octets, from the start of the buffer to where it is filled.
    pub bytes: &'a [u8],
    /// Offset in the uncompressed file of the first of them.
    pub origin: u64,
    /// What follows them.
    pub end: End,
}

/// What follows the octets in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More, perhaps.
    Open,
    /// Nothing: the file ends here.
    OfFile,
    /// Nothing more could be read, and that was noted as damage already.
    OfReading,
}

impl Window<'_> {
    /// Offset in the uncompressed file of the octet at *at*.
    pub fn offset(&self, at: usize) -> u64 {
        self.origin.saturating_add(at as u64)
    }

    /// True if no octet follows.
    pub fn is_last(&self) -> bool {
        self.end != End::Open
    }

    /// How many octets there are from *at* on.
    pub fn left(&self, at: usize) -> usize {
        self.bytes.len().saturating_sub(at)
    }

    /// The *N* octets at *at*, if they are there.
    #[inline]
    pub fn array<const N: usize>(&self, at: usize) -> Option<&[u8; N]> {
        self.bytes.get(at..)?.first_chunk()
    }
}

/// How a format goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look again from this index.
    Go(usize),
    /// More octets are needed from this index on; there, or at the end of the file, it stops.
    Wait(usize),
}

/// The facts of a frame whose *captured* octets lie at index *at* of a window.
#[inline]
pub(crate) fn frame(time: Timestamp, link_type: LinkType, at: usize, captured: u32, original: u32) -> FrameMeta {
    // A buffer is far smaller than 4 GiB, so the index fits.
    FrameMeta {
        at: time,
        link_type,
        offset: at as u32,
        captured,
        original,
    }
}
