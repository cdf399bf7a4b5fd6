//! What this crate's tests are made from: writers of small captures, and inputs that give what they please.

use std::io::{self, Write};
use std::path::Path;

use wire::frame::{Frame, LinkType};

use crate::byte_order::ByteOrder;
use crate::damage::{Damage, DamageKind};
use crate::{open_path, CaptureReader, FrameBatch};

pub const MAGIC_US: u32 = 0xa1b2_c3d4;
pub const MAGIC_NS: u32 = 0xa1b2_3c4d;
pub const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

impl ByteOrder {
    pub fn put_u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    pub fn put_u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }
}

/// Writes a pcap file.
pub struct PcapWriter {
    pub bytes: Vec<u8>,
    magic: u32,
    order: ByteOrder,
}

impl PcapWriter {
    pub fn new(magic: u32, order: ByteOrder, link_type: u32) -> Self {
        let mut file = Self {
            bytes: Vec::new(),
            magic,
            order,
        };
        file.u32(magic);
        file.bytes.extend(order.put_u16(2));
        file.bytes.extend(order.put_u16(4));
        for field in [0, 0, 262_144, link_type] {
            file.u32(field);
        }
        file
    }

    pub fn record(&mut self, seconds: u32, fraction: u32, packet: &[u8]) {
        self.cut_record(seconds, fraction, packet, packet.len() as u32);
    }

    /// A record of a packet that had *original* octets.
    pub fn cut_record(&mut self, seconds: u32, fraction: u32, packet: &[u8], original: u32) {
        for field in [seconds, fraction, packet.len() as u32, original] {
            self.u32(field);
        }
        if self.magic == MAGIC_MODIFIED {
            self.bytes.extend([0; 8]);
        }
        self.bytes.extend_from_slice(packet);
    }

    pub fn set_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&self.order.put_u32(value));
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(self.order.put_u32(value));
    }
}

/// Writes one section of a pcapng file.
pub struct PcapngWriter {
    pub bytes: Vec<u8>,
    pub order: ByteOrder,
}

impl PcapngWriter {
    pub fn new(order: ByteOrder) -> Self {
        let mut file = Self {
            bytes: Vec::new(),
            order,
        };
        let body = [
            &order.put_u32(0x1a2b_3c4d)[..],
            &order.put_u16(1),
            &order.put_u16(0),
            &[0xff; 8],
        ]
        .concat();
        file.block(0x0a0d_0d0a, &body);
        file
    }

    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let octets = self.order.put_u32((body.len().next_multiple_of(4) + 12) as u32);
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        self.bytes
            .extend([&self.order.put_u32(kind)[..], &octets, body, &padding, &octets].concat());
    }

    pub fn interface(&mut self, link_type: u16, snap_octets: u32, options: &[(u16, &[u8])]) {
        let mut body = [
            &self.order.put_u16(link_type)[..],
            &[0, 0],
            &self.order.put_u32(snap_octets),
        ]
        .concat();
        for (code, value) in options {
            body.extend(self.order.put_u16(*code));
            body.extend(self.order.put_u16(value.len() as u16));
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body);
    }

    pub fn packet(&mut self, interface: u32, ticks: u64, packet: &[u8]) {
        let body = self.packet_body(&self.order.put_u32(interface), ticks, packet);
        self.block(6, &body);
    }

    pub fn obsolete_packet(&mut self, interface: u16, ticks: u64, packet: &[u8]) {
        let head = [self.order.put_u16(interface), self.order.put_u16(0xffff)].concat();
        let body = self.packet_body(&head, ticks, packet);
        self.block(2, &body);
    }

    pub fn simple_packet(&mut self, original: u32, packet: &[u8]) {
        let body = [&self.order.put_u32(original)[..], packet].concat();
        self.block(3, &body);
    }

    fn packet_body(&self, head: &[u8], ticks: u64, packet: &[u8]) -> Vec<u8> {
        let octets = self.order.put_u32(packet.len() as u32);
        let (high, low) = (
            self.order.put_u32((ticks >> 32) as u32),
            self.order.put_u32(ticks as u32),
        );
        [head, &high, &low, &octets, &octets, packet].concat()
    }
}

/// A frame with its octets, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    pub at_ns: i64,
    pub link_type: u32,
    pub bytes: Vec<u8>,
    pub original: u32,
}

/// All that reading a capture gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    pub frames: Vec<OwnedFrame>,
    pub damage: Vec<Damage>,
}

impl Read {
    pub fn kinds(&self) -> Vec<DamageKind> {
        self.damage.iter().map(|damage| damage.kind).collect()
    }
}

/// Reads a capture held in memory.
pub fn read(file: Vec<u8>) -> Read {
    read_from(Box::new(io::Cursor::new(file)))
}

/// Reads a capture from any input.
pub fn read_from(input: Box<dyn io::Read + Send>) -> Read {
    let mut reader = match CaptureReader::open(input) {
        Ok(reader) => reader,
        Err(damage) => {
            return Read {
                frames: Vec::new(),
                damage: vec![damage],
            }
        }
    };
    let (mut batch, mut frames) = (FrameBatch::new(), Vec::new());
    while reader.fill(&mut batch) {
        frames.extend(batch.frames().map(|frame| OwnedFrame {
            at_ns: frame.at.0,
            link_type: frame.link_type.0,
            bytes: frame.bytes.to_vec(),
            original: frame.original_octets,
        }));
    }
    assert_eq!(reader.frames_read(), frames.len() as u64);
    Read {
        frames,
        damage: reader.damage().to_vec(),
    }
}

/// Gives its content in pieces of the given sizes, over and over.
pub struct Trickle {
    content: io::Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Trickle {
    pub fn new(content: Vec<u8>, sizes: Vec<usize>) -> Self {
        Self {
            content: io::Cursor::new(content),
            sizes,
            turn: 0,
        }
    }
}

impl io::Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(buffer.len());
        self.turn += 1;
        self.content.read(&mut buffer[..size])
    }
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

fn known_link_type(frame: &Frame<'_>) -> Option<LinkType> {
    match frame.link_type {
        LinkType::ETHERNET => Some(LinkType::ETHERNET),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => Some(LinkType::RAW),
        _ => None,
    }
}

/// The number of its capture, its link type, its octets.
pub type Captured = (usize, LinkType, Vec<u8>);

/// Every frame of the captures in `pcaps` that a live interface may show.
pub fn captured() -> Vec<Captured> {
    let pcaps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../pcaps");
    let mut folders: Vec<_> = std::fs::read_dir(pcaps)
        .unwrap()
        .map(|each| each.unwrap().path())
        .collect();
    folders.sort();
    let mut frames = Vec::new();
    for (number, folder) in folders.iter().filter(|folder| folder.is_dir()).enumerate() {
        let files = std::fs::read_dir(folder).unwrap().map(|each| each.unwrap().path());
        for path in files.filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("input."))
        }) {
            let Ok(mut reader) = open_path(&path) else { continue };
            let mut batch = FrameBatch::new();
            while reader.fill(&mut batch) {
                let known = batch
                    .frames()
                    .filter_map(|frame| Some((number, known_link_type(&frame)?, frame.bytes.to_vec())));
                frames.extend(known);
            }
        }
    }
    frames
}
