//! Frames in batches: one buffer that the file was read into, and where in it each frame lies.

use wire::frame::{Frame, LinkType, Timestamp};

use crate::bounds;

/// Octets of a batch's buffer: what was carried over from the chunk before, and a chunk.
const BUFFER_OCTETS: usize = bounds::BLOCK_OCTETS + bounds::CHUNK_OCTETS;

/// One frame's place and facts. Invariant: `offset + captured` lies within the filled part of the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameMeta {
    pub at: Timestamp,
    pub link_type: LinkType,
    pub offset: u32,
    pub captured: u32,
    pub original: u32,
}

/// Frames read together, made to be filled again and again and to be sent between threads.
///
/// Its memory is bounded by [`bounds::BLOCK_OCTETS`] + [`bounds::CHUNK_OCTETS`] and 24 octets for each frame; it is taken
/// at the first fill and kept by [`FrameBatch::clear`].
#[derive(Debug, Default)]
pub struct FrameBatch {
    /// Empty, or `BUFFER_OCTETS` long: zeroed once, then only overwritten.
    buffer: Vec<u8>,
    frames: Vec<FrameMeta>,
}

impl FrameBatch {
    /// An empty batch. Memory is taken when it is first filled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The frames in the order of the file.
    #[must_use]
    pub fn frames(&self) -> Frames<'_> {
        Frames {
            buffer: &self.buffer,
            frames: self.frames.iter(),
        }
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets the frames and keeps the memory.
    pub fn clear(&mut self) {
        self.frames.clear();
    }

    /// Empties the batch for another fill: its buffer, ready to be written, and the list of frames.
    pub(crate) fn begin(&mut self) -> (&mut [u8], &mut Vec<FrameMeta>) {
        self.clear();
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER_OCTETS];
        }
        (&mut self.buffer, &mut self.frames)
    }
}

impl<'a> IntoIterator for &'a FrameBatch {
    type Item = Frame<'a>;
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.frames()
    }
}

/// The frames of a batch, one after the other.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    buffer: &'a [u8],
    frames: std::slice::Iter<'a, FrameMeta>,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        let meta = self.frames.next()?;
        let start = meta.offset as usize;
        Some(Frame {
            at: meta.at,
            link_type: meta.link_type,
            bytes: &self.buffer[start..start + meta.captured as usize],
            original_octets: meta.original,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.frames.size_hint()
    }
}

impl ExactSizeIterator for Frames<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn crosses_threads<T: Send + 'static>() {}

    #[test]
    fn a_cleared_batch_keeps_its_memory_and_can_cross_threads() {
        crosses_threads::<FrameBatch>();
        let mut batch = FrameBatch::new();
        let (buffer, frames) = batch.begin();
        buffer[0] = 7;
        frames.push(FrameMeta {
            at: Timestamp(5),
            link_type: LinkType::RAW,
            offset: 0,
            captured: 1,
            original: 9,
        });
        let before = batch.buffer.as_ptr();
        let frame = batch
            .frames()
            .next()
            .map(|frame| (frame.at.0, frame.bytes.to_vec(), frame.original_octets));
        assert_eq!(frame, Some((5, vec![7], 9)));
        batch.clear();
        assert!(batch.is_empty() && batch.frames().next().is_none());
        assert_eq!(batch.begin().0.as_ptr(), before);
    }
}
