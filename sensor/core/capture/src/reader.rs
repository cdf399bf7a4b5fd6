//! Reads a capture chunk by chunk: what one chunk leaves unfinished is carried over to the next.

use std::io::Read;

use wire::frame::Timestamp;

use crate::batch::{FrameBatch, FrameMeta};
use crate::bounds;
use crate::compression::{Compression, Fault, Source};
use crate::damage::{Damage, DamageKind, DamageLog};
use crate::pcap::{Encoding, Pcap};
use crate::pcapng::{self, Pcapng};
use crate::sniff::{self, Format};
use crate::window::{End, Window};

/// How the reading of a capture went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Everything was read.
    Whole,
    /// Frames were read, and something was wrong.
    ReadWithDamage,
    /// Something was wrong, and not one frame could be read.
    NotRead,
}

/// Reads the frames of one capture: pcap or pcapng, plain or compressed with gzip or zstd, from anything that can be read.
///
/// It holds at most [`bounds::BLOCK_OCTETS`] between two fills, and what the decompressor needs.
pub struct CaptureReader {
    source: Source,
    format: Format,
    parser: Parser,
    /// What the last chunk left unfinished; it starts at `origin` of the uncompressed file.
    carry: Vec<u8>,
    origin: u64,
    end: End,
    fault: Option<Fault>,
    damage: DamageLog,
    frames_read: u64,
    first_timestamp: Option<Timestamp>,
}

/// The reader of one format. Both are small and there is one of them, so neither is boxed.
enum Parser {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl CaptureReader {
    /// Begins to read *input*, whose kind is told by its first octets.
    ///
    /// # Errors
    /// There is nothing in it, it can't be read, or it is no capture; the detail then says what it looks like.
    pub fn open(input: Box<dyn Read + Send>) -> Result<Self, Damage> {
        let source = Source::new(input).map_err(|fault| Damage::at_start(fault.kind, fault.detail))?;
        let mut start = Start::new(source);
        start.read_up_to(pcapng::MAGIC_OCTETS);
        let Some((format, parser)) = Parser::of(&start.first) else {
            return Err(start.refusal());
        };
        Ok(Self {
            source: start.source,
            format,
            parser,
            carry: start.first,
            origin: 0,
            end: if start.fault.is_some() {
                End::OfReading
            } else {
                End::Open
            },
            fault: start.fault,
            damage: DamageLog::default(),
            frames_read: 0,
            first_timestamp: None,
        })
    }

    /// Reads the next frames into *batch*, whose old ones are forgotten. False at the end; then the batch is empty.
    ///
    /// Reads about [`bounds::CHUNK_OCTETS`], fewer if a pipe has no more just now, so a batch may also be empty before the
    /// end. What is wrong with the file never stops the reading of what follows: see [`CaptureReader::damage`].
    #[must_use = "false means that the capture is at its end"]
    pub fn fill(&mut self, batch: &mut FrameBatch) -> bool {
        let (buffer, frames) = batch.begin();
        if self.is_over() {
            return false;
        }
        let mut filled = self.carry.len();
        let limit = filled + bounds::CHUNK_OCTETS;
        buffer[..filled].copy_from_slice(&self.carry);
        self.carry.clear();
        let mut at = self.advance(&buffer[..filled], 0, frames);
        while self.end == End::Open && filled < limit && (frames.is_empty() || !self.source.came_short()) {
            filled += self.read(&mut buffer[filled..limit]);
            at = self.advance(&buffer[..filled], at, frames);
        }
        self.carry.extend_from_slice(&buffer[at..filled]);
        self.origin = self.origin.saturating_add(at as u64);
        self.note_frames(frames);
        !(frames.is_empty() && self.is_over())
    }

    /// What was wrong so far: the first [`bounds::DAMAGES`].
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        self.damage.list()
    }

    /// How many damages there were beyond those listed.
    #[must_use]
    pub fn damage_beyond_list(&self) -> u64 {
        self.damage.beyond_list()
    }

    /// Octets of the uncompressed file that were passed over because they could not be understood.
    #[must_use]
    pub fn octets_skipped(&self) -> u64 {
        self.damage.skipped_octets()
    }

    /// Octets read of the file as it is stored, compressed or not: for progress.
    #[must_use]
    pub fn octets_read(&self) -> u64 {
        self.source.stored_octets()
    }

    /// Frames read so far.
    #[must_use]
    pub fn frames_read(&self) -> u64 {
        self.frames_read
    }

    /// Packet time of the first frame in the file, once it was read.
    #[must_use]
    pub fn first_timestamp(&self) -> Option<Timestamp> {
        self.first_timestamp
    }

    /// The format of the capture.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the capture is compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.source.compression()
    }

    /// How it went so far; final once [`CaptureReader::fill`] gave false.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match (self.damage().is_empty(), self.frames_read) {
            (true, _) => Condition::Whole,
            (false, 0) => Condition::NotRead,
            (false, _) => Condition::ReadWithDamage,
        }
    }

    /// True when no further frame can come.
    fn is_over(&self) -> bool {
        self.parser.is_over() || (self.end != End::Open && self.carry.is_empty())
    }

    /// Reads more octets; at the end, or when no more can be read, gives 0 and says so in `end`.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self.source.read(buffer) {
            Ok(0) => {
                self.end = End::OfFile;
                0
            }
            Ok(octets) => octets,
            Err(fault) => {
                self.fault = Some(fault);
                self.end = End::OfReading;
                0
            }
        }
    }

    fn advance(&mut self, bytes: &[u8], at: usize, frames: &mut Vec<FrameMeta>) -> usize {
        let window = Window {
            bytes,
            origin: self.origin,
            end: self.end,
        };
        if let Some(fault) = self.fault.take() {
            self.damage
                .note(fault.kind, window.offset(bytes.len()), || fault.detail);
        }
        let next = match &mut self.parser {
            Parser::Pcap(pcap) => pcap.advance(&window, at, frames, &mut self.damage),
            Parser::Pcapng(pcapng) => pcapng.advance(&window, at, frames, &mut self.damage),
        };
        // At the end both parsers account for every octet, so there is nothing to carry.
        if window.is_last() {
            bytes.len()
        } else {
            next
        }
    }

    fn note_frames(&mut self, frames: &[FrameMeta]) {
        self.frames_read = self.frames_read.saturating_add(frames.len() as u64);
        self.first_timestamp = self.first_timestamp.or_else(|| frames.first().map(|frame| frame.at));
    }
}

impl Parser {
    fn of(first: &[u8]) -> Option<(Format, Self)> {
        if let Some(encoding) = Encoding::of(first) {
            return Some((Format::Pcap, Self::Pcap(Pcap::new(encoding))));
        }
        let order = pcapng::section_byte_order(first)?;
        Some((Format::Pcapng, Self::Pcapng(Pcapng::new(order))))
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Pcap(pcap) => pcap.is_over(),
            Self::Pcapng(pcapng) => pcapng.is_over(),
        }
    }
}

/// The first octets of a file, once decompressed.
pub(crate) struct Start {
    source: Source,
    first: Vec<u8>,
    fault: Option<Fault>,
}

impl Start {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            first: Vec::new(),
            fault: None,
        }
    }

    /// Reads on until there are *octets*, or no more.
    pub fn read_up_to(&mut self, octets: usize) {
        let mut filled = self.first.len();
        self.first.resize(octets.max(filled), 0);
        while filled < self.first.len() && self.fault.is_none() {
            match self.source.read(&mut self.first[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(fault) => self.fault = Some(fault),
            }
        }
        self.first.truncate(filled);
    }

    /// The format that the first octets tell.
    pub fn format(&self) -> Option<Format> {
        Format::of(&self.first)
    }

    /// Why this is not read as a capture.
    fn refusal(mut self) -> Damage {
        self.read_up_to(bounds::SNIFF_OCTETS);
        let compressed = match self.source.compression() {
            Compression::None => String::new(),
            other => format!(" inside {}", other.name()),
        };
        match (self.fault, self.first.is_empty()) {
            (Some(fault), _) => Damage::at_start(fault.kind, fault.detail),
            (None, true) => Damage::at_start(DamageKind::Empty, format!("there is nothing in it{compressed}")),
            (None, false) => {
                let kind = sniff::kind_of(&self.first).unwrap_or("of an unknown kind");
                let detail = format!("not a capture (pcap or pcapng): it looks to be {kind}{compressed}");
                Damage::at_start(DamageKind::NotACapture, detail)
            }
        }
    }
}

/// Reads a whole capture held in memory and gives the number of its frames and what was wrong: the entry for fuzzing.
#[must_use]
pub fn read_everything(bytes: &[u8]) -> (usize, Vec<Damage>) {
    let mut reader = match CaptureReader::open(Box::new(std::io::Cursor::new(bytes.to_vec()))) {
        Ok(reader) => reader,
        Err(damage) => return (0, vec![damage]),
    };
    let (mut batch, mut frames) = (FrameBatch::new(), 0);
    while reader.fill(&mut batch) {
        // Each frame is looked at, so that a wrong place in the buffer would show.
        frames += batch
            .frames()
            .filter(|frame| frame.bytes.len() <= bounds::PACKET_OCTETS)
            .count();
    }
    (frames, reader.damage().to_vec())
}
