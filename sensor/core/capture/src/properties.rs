//! What holds of every capture, however it is stored, cut, delivered or damaged.

use std::io;
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::byte_order::ByteOrder;
use crate::testing::{
    gzip, read, read_from, zstd, OwnedFrame, PcapWriter, PcapngWriter, Trickle, MAGIC_MODIFIED, MAGIC_NS, MAGIC_US,
};
use crate::{bounds, read_everything, CaptureReader, Condition, DamageKind, FrameBatch};

/// A capture, the frames that are in it, and where each ends in the file.
#[derive(Clone, Debug)]
struct Sample {
    file: Vec<u8>,
    frames: Vec<OwnedFrame>,
    ends: Vec<usize>,
}

const START_S: u32 = 1_700_000_000;
/// Octets of the longest record header, that of a pcapng packet block.
const HEADER_OCTETS: usize = 28;
/// Records a cut one can take with it. A record cut in its data swallows the head of the next one. One cut in its header has
/// a length of 255 octets at most, from the packets that follow, and may by chance end where a later record starts.
const MOST_SWALLOWED: usize = 5;

fn pcap(magic: u32, order: ByteOrder, packets: &[Vec<u8>]) -> Sample {
    let unit_ns = if magic == MAGIC_NS { 1 } else { 1_000 };
    let mut writer = PcapWriter::new(magic, order, 1);
    let (mut frames, mut ends) = (Vec::new(), Vec::new());
    for (n, packet) in packets.iter().enumerate() {
        let seconds = START_S + n as u32;
        writer.record(seconds, 21, packet);
        ends.push(writer.bytes.len());
        frames.push(owned(i64::from(seconds) * 1_000_000_000 + 21 * unit_ns, packet));
    }
    Sample {
        file: writer.bytes,
        frames,
        ends,
    }
}

fn pcapng(order: ByteOrder, packets: &[Vec<u8>]) -> Sample {
    let mut writer = PcapngWriter::new(order);
    writer.interface(1, 0, &[]);
    let (mut frames, mut ends) = (Vec::new(), Vec::new());
    for (n, packet) in packets.iter().enumerate() {
        let ticks = u64::from(START_S) * 1_000_000 + n as u64;
        writer.packet(0, ticks, packet);
        ends.push(writer.bytes.len());
        frames.push(owned(ticks as i64 * 1_000, packet));
    }
    Sample {
        file: writer.bytes,
        frames,
        ends,
    }
}

fn owned(at_ns: i64, packet: &[u8]) -> OwnedFrame {
    OwnedFrame {
        at_ns,
        link_type: 1,
        bytes: packet.to_vec(),
        original: packet.len() as u32,
    }
}

fn samples(packets: &[Vec<u8>]) -> Vec<Sample> {
    vec![
        pcap(MAGIC_US, ByteOrder::Little, packets),
        pcap(MAGIC_NS, ByteOrder::Big, packets),
        pcap(MAGIC_MODIFIED, ByteOrder::Little, packets),
        pcapng(ByteOrder::Little, packets),
        pcapng(ByteOrder::Big, packets),
    ]
}

fn ten_packets() -> Vec<Vec<u8>> {
    (0..10u8)
        .map(|n| vec![n.wrapping_mul(29); 40 + usize::from(n)])
        .collect()
}

/// How many of *wanted* are among *read*, which may hold others besides but must keep their order.
fn kept(wanted: &[OwnedFrame], read: &[OwnedFrame]) -> usize {
    let mut rest = read.iter();
    wanted
        .iter()
        .filter(|frame| rest.clone().any(|other| other == *frame) && rest.any(|other| other == *frame))
        .count()
}

#[test]
fn a_capture_cut_anywhere_gives_every_frame_before_the_cut() {
    for sample in samples(&ten_packets()) {
        for cut in 0..=sample.file.len() {
            let result = read(sample.file[..cut].to_vec());
            let before = sample.ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(result.frames, sample.frames[..before], "cut at {cut}");
            assert!(result.damage.len() <= 1, "cut at {cut}: {:?}", result.damage);
            if sample.ends.contains(&cut) {
                assert!(result.damage.is_empty(), "cut at {cut}: {:?}", result.damage);
            }
        }
    }
}

#[test]
fn a_compressed_capture_cut_anywhere_gives_a_part_of_its_frames_and_tells_it() {
    let sample = pcap(MAGIC_US, ByteOrder::Little, &ten_packets());
    for stored in [gzip(&sample.file), zstd(&sample.file)] {
        for cut in 4..stored.len() {
            let result = read(stored[..cut].to_vec());
            assert!(sample.frames.starts_with(&result.frames), "cut at {cut}");
            assert_eq!(
                result.kinds(),
                [DamageKind::Truncated],
                "cut at {cut}: {:?}",
                result.damage
            );
        }
    }
}

#[test]
fn a_flipped_octet_costs_one_frame_at_most() {
    for sample in samples(&ten_packets()) {
        let first_end = sample.ends[0];
        for at in first_end..sample.file.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut file = sample.file.clone();
                file[at] ^= flip;
                let kept = kept(&sample.frames, &read(file).frames);
                assert!(
                    kept >= sample.frames.len() - 1,
                    "octet {at} flipped by {flip:x}: {kept} frames kept"
                );
            }
        }
    }
}

#[test]
fn a_flipped_octet_in_the_file_header_never_panics() {
    for sample in samples(&ten_packets()) {
        for at in 0..sample.ends[0] {
            for flip in [0x01, 0x80, 0xff] {
                let mut file = sample.file.clone();
                file[at] ^= flip;
                let (frames, _) = read_everything(&file);
                assert!(frames <= sample.frames.len() + 1);
            }
        }
    }
}

#[test]
fn frames_across_many_chunks_are_all_whole() {
    let sizes = [1, 1_514, 60, bounds::PACKET_OCTETS, 9_000, 65_535];
    let packets: Vec<Vec<u8>> = (0..120).map(|n| vec![n as u8; sizes[n % sizes.len()]]).collect();
    for sample in samples(&packets) {
        assert!(sample.file.len() > 10 * bounds::CHUNK_OCTETS);
        let result = read(sample.file);
        assert!(
            result.frames == sample.frames && result.damage.is_empty(),
            "{:?}",
            result.damage
        );
    }
}

#[test]
fn zeros_without_end_are_given_up_in_bounded_memory() {
    let mut start = pcap(MAGIC_US, ByteOrder::Little, &ten_packets()).file;
    let stored = gzip(&vec![0; 8 << 20]);
    let mut bomb = gzip(&std::mem::take(&mut start));
    for _ in 0..1_000 {
        bomb.extend_from_slice(&stored);
    }
    let mut reader = CaptureReader::open(Box::new(io::Cursor::new(bomb))).unwrap();
    let mut batch = FrameBatch::new();
    let mut fills = 0;
    while reader.fill(&mut batch) {
        fills += 1;
    }
    assert!(
        fills < 2 * bounds::SEARCH_OCTETS / bounds::CHUNK_OCTETS,
        "{fills} fills"
    );
    assert_eq!(
        (reader.frames_read(), reader.condition()),
        (10, Condition::ReadWithDamage)
    );
    assert!(reader.octets_skipped() >= bounds::SEARCH_OCTETS as u64);
}

/// A pipe: gives a piece at a time, and an error rather than wait for one that does not come.
struct Pipe(Receiver<Vec<u8>>, Vec<u8>);

impl io::Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            match self.0.recv_timeout(Duration::from_secs(5)) {
                Ok(piece) => self.1 = piece,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(0),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let octets = self.1.as_slice().read(buffer)?;
        self.1.drain(..octets);
        Ok(octets)
    }
}

#[test]
fn a_slow_pipe_gives_each_frame_as_it_comes() {
    for sample in samples(&ten_packets()) {
        let (pipe_in, pipe_out) = channel();
        let mut starts = vec![0];
        starts.extend_from_slice(&sample.ends);
        let pieces: Vec<Vec<u8>> = starts
            .windows(2)
            .map(|ends| sample.file[ends[0]..ends[1]].to_vec())
            .collect();
        pipe_in.send(pieces[0].clone()).unwrap();
        let mut reader = CaptureReader::open(Box::new(Pipe(pipe_out, Vec::new()))).unwrap();
        let mut batch = FrameBatch::new();
        for next in 1..=pieces.len() {
            assert!(reader.fill(&mut batch));
            assert_eq!((batch.len(), reader.damage().len()), (1, 0));
            if let Some(piece) = pieces.get(next) {
                pipe_in.send(piece.clone()).unwrap();
            }
        }
        drop(pipe_in);
        assert!(!reader.fill(&mut batch));
        assert_eq!(reader.condition(), Condition::Whole);
    }
}

#[test]
fn a_capture_of_which_nothing_can_be_read_is_told_apart() {
    let file = pcap(MAGIC_US, ByteOrder::Little, &ten_packets()).file[..50].to_vec();
    let mut reader = CaptureReader::open(Box::new(io::Cursor::new(file))).unwrap();
    assert!(!reader.fill(&mut FrameBatch::new()));
    assert_eq!(reader.condition(), Condition::NotRead);
}

proptest! {
    #[test]
    fn short_reads_change_nothing(
        packets in vec(vec(any::<u8>(), 1..200), 0..12),
        sizes in vec(1usize..90, 1..8),
    ) {
        for sample in samples(&packets) {
            for stored in [sample.file.clone(), gzip(&sample.file)] {
                let result = read_from(Box::new(Trickle::new(stored, sizes.clone())));
                prop_assert_eq!(&result.frames, &sample.frames);
                prop_assert!(result.damage.is_empty());
            }
        }
    }

    #[test]
    fn short_reads_change_nothing_of_a_damaged_capture_either(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        sizes in vec(1usize..90, 1..8),
    ) {
        for mut sample in samples(&ten_packets()) {
            for (at, value) in &damage {
                let at = at.index(sample.file.len());
                sample.file[at] = *value;
            }
            sample.file.truncate(12 + cut.index(sample.file.len()));
            let slow = read_from(Box::new(Trickle::new(sample.file.clone(), sizes.clone())));
            prop_assert_eq!(slow, read(sample.file));
        }
    }

    #[test]
    fn junk_between_records_costs_no_frame(
        junk in vec(any::<u8>(), 20..400),
        place in 0usize..9,
    ) {
        for sample in samples(&ten_packets()) {
            let mut file = sample.file.clone();
            let at = sample.ends[place];
            file.splice(at..at, junk.iter().copied());
            let result = read(file);
            prop_assert_eq!(&result.frames, &sample.frames);
            prop_assert_eq!(result.kinds(), vec![DamageKind::Corrupt]);
        }
    }

    #[test]
    fn octets_lost_cost_the_frames_they_touch(
        from in any::<prop::sample::Index>(),
        octets in 1usize..150,
    ) {
        for sample in samples(&ten_packets()) {
            let first = sample.ends[0];
            let from = first + from.index(sample.file.len() - first);
            let to = (from + octets).min(sample.file.len());
            let mut file = sample.file.clone();
            file.drain(from..to);
            let spans = || std::iter::once(0).chain(sample.ends.iter().copied()).zip(sample.ends.iter().copied());
            let touched = spans().filter(|(start, end)| *start < to && from < *end).count();
            let kept = kept(&sample.frames, &read(file).frames);
            let through_header = spans().any(|(start, end)| from < end && (start..start + HEADER_OCTETS).contains(&from));
            let swallowed = if through_header { MOST_SWALLOWED } else { 1 };
            prop_assert!(kept + touched + swallowed >= sample.frames.len(), "{} touched, {} kept", touched, kept);
        }
    }

    #[test]
    fn any_octets_behind_a_magic_end_normally(junk in vec(any::<u8>(), 0..3_000)) {
        for sample in samples(&[]) {
            let file = [sample.file, junk.clone()].concat();
            let (frames, damage) = read_everything(&file);
            prop_assert!(frames <= junk.len() && damage.len() <= bounds::DAMAGES);
        }
        let (frames, damage) = read_everything(&junk);
        prop_assert_eq!((frames, damage.len()), (0, 1));
    }
}
