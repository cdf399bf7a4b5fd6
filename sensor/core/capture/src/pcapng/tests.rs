//! Tables of blocks and what is read of them.

use super::*;
use crate::testing::{read, PcapngWriter, Read};

fn frames(file: &[u8]) -> Read {
    read(file.to_vec())
}

fn five() -> PcapngWriter {
    let mut file = PcapngWriter::new(ByteOrder::Little);
    file.interface(1, 0, &[]);
    for n in 0..5u8 {
        file.packet(0, u64::from(n), &[n; 41]);
    }
    file
}

/// Index of the first packet block of `five`, and the octets of each.
const FIRST: usize = 28 + 20;
const EACH: usize = 32 + 44;

#[test]
fn every_kind_of_packet_block_is_read_in_both_orders() {
    for order in [ByteOrder::Big, ByteOrder::Little] {
        let mut file = PcapngWriter::new(order);
        file.interface(1, 4, &[(9, &[9])]);
        file.interface(113, 0, &[(2, b"eth1"), (9, &[3]), (0, b"")]);
        file.packet(0, 1 << 33, b"abcde");
        file.packet(1, 7, b"defg");
        file.obsolete_packet(1, 8, b"h");
        file.simple_packet(9, b"ijkl");
        file.simple_packet(3, b"mno");
        let read = frames(&file.bytes);
        let told: Vec<_> = read
            .frames
            .iter()
            .map(|f| (f.at_ns, f.link_type, f.bytes.as_slice(), f.original))
            .collect();
        let expected: Vec<(i64, u32, &[u8], u32)> = vec![
            (1 << 33, 1, b"abcde", 5),
            (7_000_000, 113, b"defg", 4),
            (8_000_000, 113, b"h", 1),
            (8_000_000, 1, b"ijkl", 9),
            (8_000_000, 1, b"mno", 3),
        ];
        assert_eq!(told, expected, "{order:?}");
        assert!(read.damage.is_empty());
    }
}

#[test]
fn each_section_has_its_own_order_and_interfaces() {
    let mut other = PcapngWriter::new(ByteOrder::Big);
    other.interface(101, 0, &[]);
    other.packet(0, 5, b"other");
    let mut bare = PcapngWriter::new(ByteOrder::Big);
    bare.packet(0, 5, b"interfaces of another section do not count");
    let read = frames(&[five().bytes, other.bytes, bare.bytes, five().bytes].concat());
    assert_eq!((read.frames.len(), read.frames[5].link_type), (11, 101));
    assert_eq!(read.kinds(), [DamageKind::Corrupt]);
    assert!(
        read.damage[0].detail.contains("interface 0, and 0 were described"),
        "{}",
        read.damage[0].detail
    );
}

#[test]
fn other_blocks_and_their_options_are_passed_over() {
    let mut file = PcapngWriter::new(ByteOrder::Little);
    file.interface(1, 0, &[]);
    for kind in [4, 5, 9, 10, 0xbad, 0x4000_0bad, 0x7777_7777, 0x8000_0001] {
        file.block(kind, &[kind as u8; 50]);
        file.packet(0, 1, b"x");
    }
    file.block(10, &vec![1; 3 << 20]);
    file.packet(0, 1, b"x");
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.damage.len()), (9, 0));
}

#[test]
fn a_corrupt_length_costs_its_own_block_only() {
    for length in [
        0,
        4,
        8,
        11,
        13,
        31,
        77,
        80,
        72,
        400_000,
        1 << 20,
        2 << 20,
        0x7fff_fffc,
        0xffff_ffff,
    ] {
        for end in [4, EACH - 4] {
            let mut file = five();
            let at = FIRST + EACH + end;
            file.bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(length));
            let read = frames(&file.bytes);
            let firsts: Vec<u8> = read.frames.iter().map(|f| f.bytes[0]).collect();
            assert_eq!(firsts, [0, 2, 3, 4], "length {length}");
            assert_eq!(
                (read.kinds(), read.damage[0].offset),
                (vec![DamageKind::Corrupt], (FIRST + EACH) as u64)
            );
        }
    }
}

#[test]
fn a_packet_that_contradicts_its_block_costs_nothing_else() {
    for (field, value, part) in [
        (8, 1, "interface 1"),
        (8, u32::MAX, "interface"),
        (20, 49, "captured"),
        (20, u32::MAX, "captured"),
    ] {
        let mut file = five();
        let at = FIRST + EACH + field;
        file.bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let read = frames(&file.bytes);
        assert_eq!(
            (read.frames.len(), read.kinds()),
            (4, vec![DamageKind::Corrupt]),
            "{part}"
        );
        assert!(read.damage[0].detail.contains(part), "{}", read.damage[0].detail);
    }
}

#[test]
fn lost_octets_shift_the_blocks_and_are_found_again() {
    for lost in 1..=7 {
        let mut file = five().bytes;
        file.drain(FIRST + EACH + 40..FIRST + EACH + 40 + lost);
        let read = frames(&file);
        assert_eq!(
            (read.frames.len(), read.kinds()),
            (4, vec![DamageKind::Corrupt]),
            "{lost} lost"
        );
    }
}

#[test]
fn a_section_header_without_its_magic_is_searched_past() {
    let mut second = five().bytes;
    second[8] = 0;
    let read = frames(&[five().bytes, second].concat());
    assert_eq!((read.frames.len(), read.kinds()), (10, vec![DamageKind::Corrupt]));
}

#[test]
fn a_section_of_an_unknown_version_is_skipped_and_told() {
    let mut second = five().bytes;
    second[12] = 2;
    let read = frames(&[second, five().bytes].concat());
    assert_eq!((read.frames.len(), read.kinds()), (5, vec![DamageKind::Corrupt]));
    assert!(
        read.damage[0].detail.contains("version 2.0"),
        "{}",
        read.damage[0].detail
    );
}

#[test]
fn a_cut_tail_is_truncated_and_says_where() {
    let whole = five().bytes;
    for (cut, part) in [
        (EACH - 4, "72 octets into its last block of 76"),
        (5, "5 octets into a block header"),
    ] {
        let read = frames(&whole[..FIRST + EACH + cut]);
        assert_eq!((read.frames.len(), read.kinds()), (1, vec![DamageKind::Truncated]));
        assert_eq!(read.damage[0].offset, (FIRST + EACH) as u64);
        assert!(read.damage[0].detail.contains(part), "{}", read.damage[0].detail);
    }
}

#[test]
fn a_large_block_that_is_cut_or_lies_about_its_end_is_told() {
    let mut file = five();
    file.block(10, &vec![1; 3 << 20]);
    file.packet(0, 9, &[9; 41]);
    let mut lying = file.bytes.clone();
    lying[FIRST + 5 * EACH + (3 << 20) + 8] ^= 1;
    assert_eq!(
        (frames(&lying).frames.len(), frames(&lying).kinds()),
        (6, vec![DamageKind::Corrupt])
    );
    let cut = &file.bytes[..FIRST + 5 * EACH + (2 << 20)];
    assert_eq!(
        (frames(cut).frames.len(), frames(cut).kinds()),
        (5, vec![DamageKind::Truncated])
    );
    file.block(10, &vec![1; bounds::SKIPPED_BLOCK_OCTETS]);
    file.packet(0, 9, &[9; 41]);
    assert_eq!(
        (frames(&file.bytes).frames.len(), frames(&file.bytes).kinds()),
        (7, vec![DamageKind::Corrupt])
    );
}

#[test]
fn more_interfaces_than_the_bound_are_told() {
    let mut file = PcapngWriter::new(ByteOrder::Little);
    for _ in 0..=bounds::INTERFACES {
        file.interface(1, 0, &[]);
    }
    file.packet(bounds::INTERFACES as u32 - 1, 1, b"x");
    let read = frames(&file.bytes);
    assert_eq!((read.frames.len(), read.kinds()), (1, vec![DamageKind::Corrupt]));
}
