use std::collections::{HashMap, HashSet};

use wire::anomaly::AnomalyCounts;
use wire::counters::Counters;
use wire::decoder::Decoder;
use wire::frame::{Frame, Timestamp};
use wire::limits::Limits;
use wire::tcp::segment::Endpoint;

use super::super::interpreter::run_as;
use super::*;
use crate::testing::captured;

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// What the program makes of *frame* as the kernel shows it: an outer tag taken off, from the network header on if it came in.
fn shared(link_type: LinkType, frame: &[u8], kind: u32) -> u32 {
    let ethertype_at = |at: usize| {
        frame
            .get(at..at + 2)
            .map_or(0, |it| u32::from(it[0]) << 8 | u32::from(it[1]))
    };
    if link_type != LinkType::ETHERNET {
        let ethertype = if frame.first().is_some_and(|it| it >> 4 == 6) {
            IPV6
        } else {
            IPV4
        };
        return run_as(&program(link_type), frame, kind, ethertype);
    }
    let untagged = if [0x8100, 0x88a8].contains(&ethertype_at(12)) {
        16
    } else {
        12
    };
    let network = frame.get(untagged + 2..).unwrap_or(&[]);
    let ethertype = ethertype_at(untagged);
    // Less is the length of an 802.3 frame (ETH_P_802_2).
    let ethertype = if ethertype < 0x600 { 4 } else { ethertype };
    let seen = if kind == OUTGOING {
        [&MACS[..], &(ethertype as u16).to_be_bytes(), network].concat()
    } else {
        network.to_vec()
    };
    run_as(&program(link_type), &seen, kind, ethertype)
}

/// The two ends of the flow that the decoder finds, in one order; none for a piece of a datagram.
fn flow_of(link_type: LinkType, bytes: &[u8]) -> Option<[Endpoint; 2]> {
    let (mut counters, mut anomalies) = (Counters::default(), AnomalyCounts::default());
    let frame = Frame {
        at: Timestamp(0),
        link_type,
        bytes,
        original_octets: bytes.len() as u32,
    };
    let mut decoder = Decoder::new(&Limits::default());
    let segment = decoder.decode(&frame, &mut counters, &mut anomalies)?;
    let mut ends = [segment.source, segment.destination];
    ends.sort();
    (counters.fragments == 0).then_some(ends)
}

#[test]
fn all_frames_of_a_flow_come_to_one_ring_in_every_capture_whatever_they_are_wrapped_in() {
    let mut rings: HashMap<(usize, [Endpoint; 2]), u32> = HashMap::new();
    let mut values = HashSet::new();
    for (capture, link_type, bytes) in captured() {
        let Some(flow) = flow_of(link_type, &bytes) else {
            continue;
        };
        let value = shared(link_type, &bytes, 0);
        let first = *rings.entry((capture, flow)).or_insert(value);
        assert_eq!(value, first, "{flow:?} {bytes:02x?}");
        assert_eq!(
            value,
            shared(link_type, &bytes, OUTGOING),
            "on the way out: {bytes:02x?}"
        );
        values.insert(value);
    }
    assert!(
        rings.len() > 500 && values.len() > 100,
        "{} flows, {} values",
        rings.len(),
        values.len()
    );
}

/// IPv4 in hex is hard to read: the header of *protocol* from one host to another.
fn ipv4(protocol: u32, hosts: [u8; 2]) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 40, 0, 1, 0, 0, 64, protocol as u8, 0, 0];
    header.extend([192, 0, 2, hosts[0], 192, 0, 2, hosts[1]]);
    header
}

fn ipv6(next: u32, hosts: [u8; 2]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 20, next as u8, 64];
    for host in hosts {
        header.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    }
    header
}

fn ports(from: u16, to: u16) -> Vec<u8> {
    let mut header = [from.to_be_bytes(), to.to_be_bytes()].concat();
    header.resize(20, 0);
    header
}

fn ethernet(ethertype: u32, packet: &[u8]) -> Vec<u8> {
    [&MACS[..], &(ethertype as u16).to_be_bytes(), packet].concat()
}

/// The two directions of the flow with that port of the client.
fn both_ways(port: u16) -> [Vec<u8>; 2] {
    [
        ethernet(IPV4, &[ipv4(TCP, [1, 2]), ports(port, 25)].concat()),
        ethernet(IPV4, &[ipv4(TCP, [2, 1]), ports(25, port)].concat()),
    ]
}

type Wrap = fn(&[u8], [u8; 2], u16) -> Vec<u8>;

/// How mirrors wrap a frame: *hosts* of the tunnel, and a source port that is another for each direction.
const WRAPS: [(&str, Wrap); 8] = [
    ("plain", |frame, _, _| frame.to_vec()),
    ("VXLAN", |frame, hosts, port| {
        let header = [&[0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0][..], frame].concat();
        let udp = [port.to_be_bytes(), 4_789_u16.to_be_bytes()].concat();
        ethernet(IPV4, &[ipv4(UDP, hosts), udp, header].concat())
    }),
    ("VXLAN over IPv6 behind two tags", |frame, hosts, port| {
        let header = [&[0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0][..], frame].concat();
        let udp = [port.to_be_bytes(), 8_472_u16.to_be_bytes()].concat();
        let inner = [&[0, 8, 0x86, 0xdd][..], &ipv6(UDP, hosts), &udp, &header].concat();
        ethernet(0x88a8, &[&[0, 7, 0x81, 0][..], &inner].concat())
    }),
    ("VXLAN-GPE that holds IP", |frame, hosts, port| {
        let header = [&[0, 0, 0, 0, 0x0c, 0, 0, 1, 0, 0, 5, 0][..], &frame[14..]].concat();
        let udp = [port.to_be_bytes(), 4_790_u16.to_be_bytes()].concat();
        ethernet(IPV4, &[ipv4(UDP, hosts), udp, header].concat())
    }),
    ("GENEVE with an option", |frame, hosts, port| {
        let header = [&[0, 0, 0, 0, 1, 0, 0x65, 0x58, 0, 0, 5, 0, 9, 9, 9, 9][..], frame].concat();
        let udp = [port.to_be_bytes(), 6_081_u16.to_be_bytes()].concat();
        ethernet(IPV4, &[ipv4(UDP, hosts), udp, header].concat())
    }),
    ("ERSPAN II", |frame, hosts, port| {
        let [high, low] = port.to_be_bytes(); // the sequence number
        let header = [
            &[0x10, 0, 0x88, 0xbe, 0, 0, high, low, 0x10, 0, 0, 0, 0, 0, 0, 0][..],
            frame,
        ]
        .concat();
        ethernet(IPV4, &[ipv4(GRE, hosts), header].concat())
    }),
    ("ERSPAN III with a subheader", |frame, hosts, _| {
        let mut header = vec![0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        header.resize(28, 0);
        ethernet(IPV4, &[ipv4(GRE, hosts), header, frame.to_vec()].concat())
    }),
    ("IP in IPv6 with options", |frame, hosts, _| {
        let outer = [ipv6(60, hosts), vec![IPV4_IN_IP as u8, 0, 1, 4, 0, 0, 0, 0]].concat();
        ethernet(IPV6, &[&outer, &frame[14..]].concat())
    }),
];

#[test]
fn both_directions_of_a_flow_in_a_tunnel_come_to_the_ring_of_the_bare_flow() {
    for port in [1_024, 40_000, 65_535] {
        let [there, back] = both_ways(port);
        let bare = shared(LinkType::ETHERNET, &there, 0);
        for (name, wrap) in WRAPS {
            assert_eq!(
                shared(LinkType::ETHERNET, &wrap(&there, [7, 8], 50_001), 0),
                bare,
                "{name}"
            );
            assert_eq!(
                shared(LinkType::ETHERNET, &wrap(&back, [8, 7], 61_007), 0),
                bare,
                "{name}"
            );
        }
        assert_eq!(shared(LinkType::RAW, &back[14..], 0), bare);
    }
}

#[test]
fn flows_of_one_pair_of_hosts_are_spread_over_the_rings() {
    for rings in [2, 3, 4, 8] {
        let mut flows = vec![0; rings as usize];
        for port in 32_768..34_768 {
            let value = shared(LinkType::ETHERNET, &both_ways(port)[0], 0);
            flows[(value % rings) as usize] += 1;
        }
        let even = 2_000 / rings;
        assert!(
            flows.iter().all(|&each| each > even * 3 / 4 && each < even * 5 / 4),
            "{flows:?}"
        );
    }
}

#[test]
fn a_piece_of_a_datagram_in_a_tunnel_goes_by_its_addresses() {
    let piece = |offset: u8, hosts: [u8; 2], behind: &[u8]| {
        let mut inner = ipv4(TCP, hosts);
        inner[7] = offset;
        ethernet(IPV4, &[ipv4(IPV4_IN_IP, [7, 8]), inner, behind.to_vec()].concat())
    };
    let (first, second) = (piece(0, [1, 2], &[]), piece(185, [1, 2], b"text"));
    let first = [
        &first[..20 + 14 + 6],
        &[0x20],
        &first[20 + 14 + 7..],
        &ports(40_000, 25),
    ]
    .concat();
    let value = shared(LinkType::ETHERNET, &first, 0);
    assert_eq!(shared(LinkType::ETHERNET, &second, 0), value);
    assert_ne!(shared(LinkType::ETHERNET, &piece(185, [1, 3], b"text"), 0), value);
}

#[test]
fn what_is_not_understood_comes_to_the_first_ring() {
    let other: [&[u8]; 5] = [
        &[],
        &ethernet(0x0806, b"who has"),
        &ethernet(0x0026, &[0x42, 0x42, 3]),
        &ethernet(IPV4, &[0x45, 0, 0]),
        &ethernet(0x8847, &[0, 0, 0x10, 64]),
    ];
    for frame in other {
        assert_eq!(shared(LinkType::ETHERNET, frame, 0), 0, "{frame:02x?}");
    }
}

#[test]
fn the_program_fits_the_kernel() {
    let longest = program(LinkType::ETHERNET).len();
    assert!((400..4_096).contains(&longest), "{longest}");
}
