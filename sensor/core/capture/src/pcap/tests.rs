//! Tables of files and what is read of them.

use super::*;
use crate::testing::{read, PcapWriter, Read, MAGIC_MODIFIED, MAGIC_NS, MAGIC_US};

fn frames(file: &[u8]) -> Read {
    read(file.to_vec())
}

fn five() -> PcapWriter {
    let mut file = PcapWriter::new(MAGIC_US, ByteOrder::Little, 1);
    for n in 0..5u8 {
        file.record(1_700_000_000 + u32::from(n), 7, &[n; 40]);
    }
    file
}

#[test]
fn every_magic_in_both_orders_gives_the_same_frames() {
    for order in [ByteOrder::Big, ByteOrder::Little] {
        for (magic, ns) in [(MAGIC_US, 5_000), (MAGIC_NS, 5), (MAGIC_MODIFIED, 5_000)] {
            let mut file = PcapWriter::new(magic, order, 113);
            file.record(3, 5, b"abc");
            file.cut_record(4, 6, b"de", 1_500);
            let read = frames(&file.bytes);
            assert_eq!(read.frames.len(), 2, "{magic:x} {order:?}");
            assert_eq!(
                (read.frames[0].at_ns, read.frames[0].link_type),
                (3_000_000_000 + ns, 113)
            );
            assert_eq!(read.frames[0].bytes, b"abc");
            assert_eq!((read.frames[1].bytes.len(), read.frames[1].original), (2, 1_500));
            assert!(read.damage.is_empty());
        }
    }
}

#[test]
fn the_upper_half_of_the_link_type_is_not_part_of_it() {
    let mut file = PcapWriter::new(MAGIC_US, ByteOrder::Big, 0x5400_0001);
    file.record(3, 5, b"abc");
    assert_eq!(frames(&file.bytes).frames[0].link_type, 1);
}

#[test]
fn a_time_of_the_year_2106_is_told() {
    let mut file = PcapWriter::new(MAGIC_US, ByteOrder::Big, 1);
    file.record(u32::MAX, 999_999, b"abc");
    assert_eq!(frames(&file.bytes).frames[0].at_ns, 4_294_967_295_999_999_000);
}

#[test]
fn a_file_without_records_is_whole() {
    let file = PcapWriter::new(MAGIC_US, ByteOrder::Big, 1);
    assert_eq!(frames(&file.bytes), Read::default());
}

#[test]
fn a_corrupt_length_costs_its_own_record_only() {
    for length in [0xffff_ffff, 262_145, 100_000, 41, 39, 1, 0] {
        let mut file = five();
        file.set_u32(24 + 56 + 8, length);
        let read = frames(&file.bytes);
        let firsts: Vec<u8> = read
            .frames
            .iter()
            .filter(|f| f.bytes.len() == 40)
            .map(|f| f.bytes[0])
            .collect();
        assert!(firsts == [0, 2, 3, 4], "length {length}: {firsts:?}");
        assert_eq!(read.kinds(), [DamageKind::Corrupt], "length {length}");
    }
}

#[test]
fn a_corrupt_first_record_is_passed_over() {
    let mut file = five();
    file.set_u32(24 + 8, 0xffff_ffff);
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.damage[0].offset), (4, 24));
    assert!(
        read.damage[0].detail.ends_with("; 56 octets were skipped"),
        "{}",
        read.damage[0].detail
    );
}

#[test]
fn a_page_of_zeros_between_records_is_skipped() {
    let mut file = five();
    file.bytes.extend_from_slice(&[0; 4_096]);
    let tail = five().bytes.split_off(24);
    file.bytes.extend_from_slice(&tail);
    let read = frames(&file.bytes);
    assert_eq!(read.frames.len(), 10);
    assert!(
        read.damage[0].detail.ends_with("4096 octets were skipped"),
        "{}",
        read.damage[0].detail
    );
}

#[test]
fn a_tail_of_zeros_is_told_as_corrupt() {
    let mut file = five();
    file.bytes.extend_from_slice(&[0; 4_096]);
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.kinds()), (5, vec![DamageKind::Corrupt]));
    assert!(
        read.damage[0].detail.contains("last 4096 octets"),
        "{}",
        read.damage[0].detail
    );
}

#[test]
fn records_whose_lengths_are_odd_but_lead_on_are_read() {
    let mut file = PcapWriter::new(MAGIC_US, ByteOrder::Little, 1);
    file.cut_record(10, 0, b"longer than the packet was", 4);
    file.cut_record(11, 0, b"", 60);
    file.cut_record(12, 2_000_000, b"a fraction above a second", 25);
    file.record(13, 0, b"plain");
    file.cut_record(14, 0, b"odd and last", 1);
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.damage.len()), (5, 0));
    assert_eq!(read.frames[2].at_ns, 14_000_000_000);
}

#[test]
fn files_put_behind_each_other_are_read_each_in_its_own_encoding() {
    let mut other = PcapWriter::new(MAGIC_NS, ByteOrder::Big, 101);
    other.cut_record(5, 5, b"odd and of another time", 4);
    other.record(6, 6, b"plain");
    let both = [five().bytes, other.bytes, five().bytes].concat();
    let read = frames(&both);
    assert_eq!((read.frames.len(), read.damage.len()), (12, 0));
    assert_eq!((read.frames[5].link_type, read.frames[5].at_ns), (101, 5_000_000_005));
}

#[test]
fn an_unknown_version_is_read_and_told() {
    let mut file = five();
    file.bytes[4] = 9;
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.kinds()), (5, vec![DamageKind::Corrupt]));
}

#[test]
fn a_cut_tail_is_truncated_and_says_where() {
    let whole = five().bytes;
    for (keep, part) in [
        (24 + 56 * 2 + 20, "20 octets into its last record of 56"),
        (24 + 56 * 2 + 3, "3 octets into a record header"),
    ] {
        let read = frames(&whole[..keep]);
        assert_eq!((read.frames.len(), read.kinds()), (2, vec![DamageKind::Truncated]));
        assert!(read.damage[0].detail.contains(part), "{}", read.damage[0].detail);
        assert_eq!(read.damage[0].offset, 24 + 56 * 2);
    }
}

#[test]
fn the_search_ends_at_its_bound() {
    let mut file = five().bytes;
    file.resize(file.len() + bounds::SEARCH_OCTETS + (2 << 20), 0);
    let read = frames(&file);
    assert_eq!(read.frames.len(), 5);
    assert!(
        read.damage[0].detail.contains("the rest was not read"),
        "{}",
        read.damage[0].detail
    );
}

#[test]
fn steps_in_time_are_read_and_do_not_mislead_a_search() {
    let times = [
        1_700_000_000,
        1_700_000_001,
        1_000,
        1_001,
        1_800_000_000,
        1_800_000_001,
        1_800_000_002,
        1_800_000_003,
    ];
    let mut file = PcapWriter::new(MAGIC_US, ByteOrder::Little, 1);
    for (n, seconds) in times.into_iter().enumerate() {
        file.record(seconds, 999, &[n as u8 + 1; 40]);
    }
    let whole = frames(&file.bytes);
    assert_eq!((whole.frames.len(), whole.damage.len()), (8, 0));
    file.set_u32(24 + 6 * 56 + 8, u32::MAX);
    let damaged = frames(&file.bytes);
    assert_eq!((damaged.frames.len(), damaged.kinds()), (7, vec![DamageKind::Corrupt]));
}

#[test]
fn a_header_read_beside_its_place_is_not_believed() {
    let mut file = five();
    file.bytes.drain(24 + 56..24 + 60);
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.kinds()), (4, vec![DamageKind::Corrupt]));
}
