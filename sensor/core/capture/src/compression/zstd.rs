//! All the frames of a zstd file as one stream (RFC 8878 3.1).
//!
//! The library decodes a single frame, keeps back a window of what it decoded until the frame ends, leaves checksums to
//! its caller, and asserts some properties of its input. So here frames follow each other, skippable ones are passed over,
//! what came before a fault is given out, checksums are compared, and an assertion becomes an error.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::panic::{catch_unwind, AssertUnwindSafe};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::bounds;

/// A last block without content, and room for a checksum: what ends a zstd frame (RFC 8878 3.1.1.2).
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// The frames of a file as one stream.
pub(super) struct ZstdFrames<R> {
    input: BufReader<R>,
    decoder: FrameDecoder,
    state: ZstdState,
}

enum ZstdState {
    Between,
    InFrame,
    /// The frame broke off: what was decompressed of it is still to be given, then the reason.
    Broken(Option<io::Error>),
}

impl<R: Read> ZstdFrames<R> {
    /// The frames that *input* holds.
    pub fn new(input: BufReader<R>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(bounds::ZSTD_WINDOW_OCTETS as u64);
        Self {
            input,
            decoder,
            state: ZstdState::Between,
        }
    }

    /// What the frames are read from.
    pub fn get_ref(&self) -> &R {
        self.input.get_ref()
    }

    /// Begins the next frame, passing over skippable ones; false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match guarded(|| self.decoder.reset(&mut self.input)) {
                Ok(()) => return Ok(true),
                Err(DecodeError::Frame(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                }))) => self.pass_over(u64::from(length))?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn pass_over(&mut self, octets: u64) -> io::Result<()> {
        let passed = io::copy(&mut (&mut self.input).take(octets), &mut io::sink())?;
        if passed < octets {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn decode_block(&mut self) {
        let one = BlockDecodingStrategy::UptoBlocks(1);
        match guarded(|| self.decoder.decode_blocks(&mut self.input, one)) {
            Ok(_) => {}
            Err(DecodeError::Frame(error)) => {
                // The decoder keeps back a window until the frame ends: ending it gives out what came before the fault.
                let all = BlockDecodingStrategy::UptoBlocks(1);
                let rescued = guarded(|| self.decoder.decode_blocks(LAST_BLOCK, all)).is_ok();
                self.abandon(io::Error::other(error), rescued);
            }
            Err(error) => self.abandon(error.into(), false),
        }
    }

    /// Goes to the broken state; without *rescued* content the decoder is made anew.
    fn abandon(&mut self, error: io::Error, rescued: bool) {
        if !rescued {
            self.decoder = FrameDecoder::new();
        }
        self.state = ZstdState::Broken(Some(error));
    }

    /// Compares the checksum at the end of a frame, if it has one, with its content (RFC 8878 3.1.1).
    fn check_sum(&self) -> io::Result<()> {
        match (
            self.decoder.get_checksum_from_data(),
            self.decoder.get_calculated_checksum(),
        ) {
            (Some(stored), Some(calculated)) if stored != calculated => Err(io::Error::new(
                ErrorKind::InvalidData,
                "a frame's checksum does not match its content",
            )),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !matches!(self.state, ZstdState::Between) && self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            match &mut self.state {
                ZstdState::Broken(reason) => return reason.take().map_or(Ok(0), Err),
                ZstdState::InFrame if self.decoder.is_finished() => {
                    self.state = ZstdState::Between;
                    self.check_sum()?;
                }
                ZstdState::InFrame => self.decode_block(),
                ZstdState::Between => {
                    if !self.next_frame()? {
                        return Ok(0);
                    }
                    self.state = ZstdState::InFrame;
                }
            }
        }
    }
}

enum DecodeError {
    Frame(FrameDecoderError),
    Panicked,
}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Frame(error) => Self::other(error),
            DecodeError::Panicked => Self::new(ErrorKind::InvalidData, "the decoder met a contradiction"),
        }
    }
}

/// Runs a call into the zstd library, which asserts some properties of its input instead of returning an error.
fn guarded<T>(call: impl FnOnce() -> Result<T, FrameDecoderError>) -> Result<T, DecodeError> {
    // Unwind safe: after a panic the decoder is thrown away and the stream is over.
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|_| DecodeError::Panicked)?
        .map_err(DecodeError::Frame)
}
