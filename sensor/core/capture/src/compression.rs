//! The stored octets of a file, and what they are once decompressed.
//!
//! gzip (RFC 1952, several members) and zstd (RFC 8878, several frames, skippable ones passed over) are told by their
//! first octets. A compressed stream that breaks off or contradicts itself gives what was decompressed before, then a
//! [`Fault`].

mod zstd;

use std::error::Error;
use std::io::{self, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use crate::damage::DamageKind;
use zstd::ZstdFrames;

/// Octets of compressed data read at once.
const STORED_CHUNK_OCTETS: usize = 128 << 10;

/// Octets asked of the gzip decoder at once: when it finds corrupt data, it loses what it made in that call.
const GZIP_STEP_OCTETS: usize = 16 << 10;

/// How a capture file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Compression {
    /// Its usual name; "none" if there is none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Tells it by the first four octets of a file.
    fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Why no more octets can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub kind: DamageKind,
    pub detail: String,
}

/// The uncompressed octets of a file, read in one pass.
pub(crate) struct Source(Decoder);

enum Decoder {
    None(Stored),
    Gzip(Box<MultiGzDecoder<BufReader<Stored>>>),
    Zstd(Box<ZstdFrames<Stored>>),
}

impl Source {
    /// Looks at the first octets of *input* and reads it accordingly.
    pub fn new(input: Box<dyn Read + Send>) -> Result<Self, Fault> {
        let mut stored = Stored::new(input);
        let magic = stored.peek().map_err(|error| Fault::unreadable(&error))?;
        Ok(Self(match Compression::of(magic) {
            Compression::None => Decoder::None(stored),
            Compression::Gzip => {
                let input = BufReader::with_capacity(STORED_CHUNK_OCTETS, stored);
                Decoder::Gzip(Box::new(MultiGzDecoder::new(input)))
            }
            Compression::Zstd => {
                let input = BufReader::with_capacity(STORED_CHUNK_OCTETS, stored);
                Decoder::Zstd(Box::new(ZstdFrames::new(input)))
            }
        }))
    }

    pub fn compression(&self) -> Compression {
        match &self.0 {
            Decoder::None(_) => Compression::None,
            Decoder::Gzip(_) => Compression::Gzip,
            Decoder::Zstd(_) => Compression::Zstd,
        }
    }

    /// Reads some octets into *buffer*; 0 at the end. May give fewer than there is room for.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            let result = match &mut self.0 {
                Decoder::None(stored) => stored.read(buffer),
                Decoder::Gzip(decoder) => {
                    let step = buffer.len().min(GZIP_STEP_OCTETS);
                    decoder.read(&mut buffer[..step])
                }
                Decoder::Zstd(decoder) => decoder.read(buffer),
            };
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(&error)),
                Ok(octets) => return Ok(octets),
            }
        }
    }

    /// True if the last read of the stored file gave less than was asked: a pipe has nothing more just now.
    pub fn came_short(&self) -> bool {
        self.stored().came_short
    }

    /// Octets read of the stored file.
    pub fn stored_octets(&self) -> u64 {
        self.stored().octets
    }

    fn stored(&self) -> &Stored {
        match &self.0 {
            Decoder::None(stored) => stored,
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn fault(&self, error: &io::Error) -> Fault {
        let name = self.compression().name();
        let at = self.stored_octets();
        if self.stored().failed || self.compression() == Compression::None {
            Fault::unreadable(error)
        } else if ends_early(error) {
            let detail = format!("the {name} data ends early, after {at} stored octets");
            Fault {
                kind: DamageKind::Truncated,
                detail,
            }
        } else {
            let detail =
                format!("the {name} data is corrupt before stored octet {at} ({error}); the rest was not read");
            Fault {
                kind: DamageKind::Corrupt,
                detail,
            }
        }
    }
}

impl Fault {
    fn unreadable(error: &io::Error) -> Self {
        Self {
            kind: DamageKind::Unreadable,
            detail: format!("cannot be read: {error}"),
        }
    }
}

/// True if *error*, or what it comes from, is that the input ended.
fn ends_early(error: &io::Error) -> bool {
    if error.kind() == ErrorKind::UnexpectedEof {
        return true;
    }
    let mut cause = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(inner) = cause {
        if inner
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == ErrorKind::UnexpectedEof)
        {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// The file as it is stored, counted, with its first octets given back after a look at them.
struct Stored {
    input: Box<dyn Read + Send>,
    first: [u8; 4],
    /// `first[given..held]` is still to be given back; `0 <= given <= held <= 4`.
    given: usize,
    held: usize,
    octets: u64,
    came_short: bool,
    failed: bool,
}

impl Stored {
    fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            first: [0; 4],
            given: 0,
            held: 0,
            octets: 0,
            came_short: false,
            failed: false,
        }
    }

    /// The first four octets, fewer if there are no more.
    fn peek(&mut self) -> io::Result<&[u8]> {
        while self.held < self.first.len() {
            match self.input.read(&mut self.first[self.held..]) {
                Ok(0) => break,
                Ok(octets) => self.held += octets,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.first[..self.held])
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = if self.given < self.held {
            let octets = (&self.first[self.given..self.held]).read(buffer)?;
            self.given += octets;
            octets
        } else {
            let result = self.input.read(buffer);
            self.failed = result
                .as_ref()
                .is_err_and(|error| error.kind() != ErrorKind::Interrupted);
            let octets = result?;
            self.came_short = octets < buffer.len();
            octets
        };
        self.octets = self.octets.saturating_add(octets as u64);
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip, zstd, Trickle};

    fn read_all(stored: Vec<u8>) -> (Vec<u8>, Option<DamageKind>) {
        let mut source = match Source::new(Box::new(io::Cursor::new(stored))) {
            Ok(source) => source,
            Err(fault) => return (Vec::new(), Some(fault.kind)),
        };
        let (mut all, mut buffer) = (Vec::new(), vec![0; 70_000]);
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return (all, None),
                Ok(octets) => all.extend_from_slice(&buffer[..octets]),
                Err(fault) => return (all, Some(fault.kind)),
            }
        }
    }

    fn content(octets: usize) -> Vec<u8> {
        let mut state = 1u32;
        (0..octets)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 28) as u8
            })
            .collect()
    }

    #[test]
    fn several_members_and_frames_read_as_one_stream() {
        let (a, b) = (content(300_000), content(5_000));
        let both = [a.clone(), b.clone()].concat();
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for stored in [
            both.clone(),
            [gzip(&a), gzip(&b)].concat(),
            [zstd(&a), zstd(&b)].concat(),
            [skippable.clone(), zstd(&a), skippable.clone(), zstd(&b), skippable].concat(),
        ] {
            assert_eq!(read_all(stored), (both.clone(), None));
        }
    }

    #[test]
    fn a_cut_stream_gives_what_came_before_the_cut() {
        let whole = content(600_000);
        for stored in [gzip(&whole), zstd(&whole)] {
            let (read, fault) = read_all(stored[..stored.len() / 2].to_vec());
            assert_eq!(fault, Some(DamageKind::Truncated));
            assert!(
                read.len() > whole.len() / 4 && whole.starts_with(&read),
                "{} octets",
                read.len()
            );
        }
    }

    #[test]
    fn a_flipped_octet_never_panics_and_never_passes_unseen() {
        let whole = content(3_000);
        for stored in [gzip(&whole), zstd(&whole)] {
            for at in 4..stored.len() {
                let mut bad = stored.clone();
                bad[at] ^= 0x55;
                let (read, fault) = read_all(bad);
                assert!(fault.is_some() || read == whole || at < 18, "octet {at}");
            }
        }
    }

    #[test]
    fn a_zstd_window_beyond_the_bound_is_refused_before_memory_is_taken() {
        let hostile = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 1, 0, 0];
        assert_eq!(read_all(hostile.to_vec()), (Vec::new(), Some(DamageKind::Corrupt)));
    }

    #[test]
    fn an_octet_at_a_time_is_the_same_stream() {
        let whole = content(10_000);
        for stored in [whole.clone(), gzip(&whole), zstd(&whole)] {
            let mut source = Source::new(Box::new(Trickle::new(stored.clone(), vec![1])))
                .map_err(|f| f.detail)
                .unwrap();
            let (mut all, mut buffer) = (Vec::new(), [0; 999]);
            while let Ok(octets @ 1..) = source.read(&mut buffer) {
                all.extend_from_slice(&buffer[..octets]);
            }
            assert!(all == whole);
            assert_eq!(source.stored_octets(), stored.len() as u64);
        }
    }

    #[test]
    fn an_error_of_the_operating_system_is_not_called_corruption() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    return Err(io::Error::other("the disk is gone"));
                }
                let octets = gzip(&content(100_000))[..1_000].as_ref().read(buffer)?;
                self.0 -= 1;
                Ok(octets)
            }
        }
        assert_eq!(
            Source::new(Box::new(Failing(0))).err().map(|f| f.kind),
            Some(DamageKind::Unreadable)
        );
        let mut source = Source::new(Box::new(Failing(1))).map_err(|f| f.detail).unwrap();
        let mut buffer = vec![0; 10];
        let fault = loop {
            match source.read(&mut buffer) {
                Ok(octets) => assert!(octets > 0),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.kind, DamageKind::Unreadable);
    }
}
