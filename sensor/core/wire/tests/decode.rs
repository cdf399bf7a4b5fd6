//! Frames to segments through the crate's public names: every key of the table, every cut, nesting, fragments, noise.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use wire::anomaly::{Anomaly, AnomalyCounts};
use wire::counters::Counters;
use wire::decoder::{decode_arbitrary, Decoder};
use wire::frame::{Frame, LinkType, Timestamp};
use wire::limits::Limits;
use wire::link::{Encapsulation, Next, Row, ROWS};

const PAYLOAD: &[u8] = b"MAIL FROM:<a@example.org>\r\n";

/// Frames written as layers around layers.
mod build {
    fn joined(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// The octets that *head* spells in hex, then *inner*.
    pub fn under(head: &str, inner: &[u8]) -> Vec<u8> {
        joined(&[&hex(head), inner])
    }

    pub fn tcp(payload: &[u8]) -> Vec<u8> {
        //     ports     seq      ack      offset, flags, window, sum, urgent
        under("c001 0019 00000064 000000c8 50 18 2000 0000 0000", payload)
    }

    pub fn ipv4_place(protocol: u8, id: u16, flags_and_offset: u16, inner: &[u8]) -> Vec<u8> {
        let total = inner.len() + 20;
        let head =
            format!("45 00 {total:04x} {id:04x} {flags_and_offset:04x} 40 {protocol:02x} 0000 c0000201 c0000202");
        under(&head, inner)
    }

    pub fn ipv4(protocol: u8, inner: &[u8]) -> Vec<u8> {
        ipv4_place(protocol, 1, 0x4000, inner)
    }

    pub fn ipv6(next_header: u8, inner: &[u8]) -> Vec<u8> {
        let head = format!(
            "60000000 {:04x} {next_header:02x} 40 \
             20010db8000000000000000000000001 20010db8000000000000000000000002",
            inner.len()
        );
        under(&head, inner)
    }

    pub fn ethernet(ethertype: u16, inner: &[u8]) -> Vec<u8> {
        under(&format!("0a0000000001 0a0000000002 {ethertype:04x}"), inner)
    }

    pub fn udp(port: u16, inner: &[u8]) -> Vec<u8> {
        let length = inner.len() + 8;
        under(&format!("c001 {port:04x} {length:04x} 0000"), inner)
    }

    pub fn pppoe(protocol: &str, inner: &[u8]) -> Vec<u8> {
        let length = inner.len() + protocol.len() / 2;
        under(&format!("11 00 0007 {length:04x} {protocol}"), inner)
    }
}

use build::{ethernet, ipv4, ipv4_place, ipv6, pppoe, tcp, udp, under};

/// Octets of the kind *next*, with a TCP segment at their end.
fn body(next: Next) -> Vec<u8> {
    let segment = tcp(PAYLOAD);
    let packet = ipv4(6, &segment);
    let frame = ethernet(0x0800, &packet);
    match next {
        Next::Tcp => segment,
        Next::Ipv4 => packet,
        Next::Ipv6 => ipv6(6, &segment),
        Next::Ipv6Extension => under("06 00 010400000000", &segment),
        Next::Ipv6Fragment => under("06 00 0000 00000001", &segment),
        Next::Authentication => under("06 01 0000 00000001 00000001", &segment),
        Next::Other => panic!("no body for what is not read"),
        Next::Encapsulation(each) => match each {
            Encapsulation::Ethernet => frame,
            Encapsulation::Vlan => under("0064 0800", &packet),
            Encapsulation::Llc => under("aaaa03 000000 0800", &packet),
            Encapsulation::LinuxSll => under("0000 0001 0006 0a00000000020000 0800", &packet),
            Encapsulation::LinuxSll2 => under("0800 0000 00000002 0001 00 06 0a00000000020000", &packet),
            Encapsulation::Null => under("02000000", &packet),
            Encapsulation::Loop => under("00000002", &packet),
            Encapsulation::RawIp => ipv6(6, &segment),
            Encapsulation::Mpls => under("00064040 000c8140", &packet),
            Encapsulation::PppoeSession => pppoe("0021", &packet),
            Encapsulation::Gre => under("0000 0800", &packet),
            Encapsulation::Erspan => under("1064 0001 00000002", &frame),
            Encapsulation::Udp => udp(4789, &under("08 000000 000064 00", &frame)),
            Encapsulation::Vxlan => under("08 000000 000064 00", &frame),
            Encapsulation::VxlanGpe => under("0c 0000 01 000064 00", &packet),
            Encapsulation::Geneve => under("01 00 6558 000064 00 01028000", &frame),
        },
    }
}

/// A frame that leads to a segment by this row of the table.
fn by_row(row: &Row) -> (LinkType, Vec<u8>) {
    let inner = body(row.next);
    let (octet, short) = (row.key as u8, row.key as u16);
    let gre = |protocol: u16, inner: &[u8]| {
        ethernet(
            0x0800,
            &ipv4(47, &under(&format!("1000 {protocol:04x} 00000001"), inner)),
        )
    };
    let frame = match row.space {
        "link_type" => return (LinkType(row.key), inner),
        "address_family" => return (LinkType::LOOP, under(&format!("{:08x}", row.key), &inner)),
        "ethertype" => ethernet(short, &inner),
        "ip_protocol" => ethernet(0x0800, &ipv4(octet, &inner)),
        "ipv6_next_header" => ethernet(0x86dd, &ipv6(octet, &inner)),
        "udp_port" => ethernet(0x86dd, &ipv6(17, &udp(short, &inner))),
        "gre_protocol" => gre(short, &inner),
        "ppp_protocol" => ethernet(0x8864, &pppoe(&format!("{short:04x}"), &inner)),
        "vxlan_gpe_protocol" => {
            let gpe = under(&format!("0c 0000 {octet:02x} 000064 00"), &inner);
            ethernet(0x0800, &ipv4(17, &udp(4790, &gpe)))
        }
        other => panic!("no sample for key space {other}"),
    };
    (LinkType::ETHERNET, frame)
}

/// Frames that the table's rows alone do not lead to.
fn combined() -> Vec<(&'static str, Vec<u8>)> {
    let segment = tcp(PAYLOAD);
    let packet = ipv4(6, &segment);
    let frame = ethernet(0x0800, &packet);
    let gre = |head: &str, inner: &[u8]| ethernet(0x0800, &ipv4(47, &under(head, inner)));
    let overlay = ethernet(
        0x8100,
        &under(
            "0064 0800",
            &ipv4(17, &udp(4789, &under("08 000000 000064 00", &frame))),
        ),
    );
    let provider = ethernet(
        0x88a8,
        &under("0001 8100 0002 8847 00064040 000c8040 00000140 00000000", &overlay),
    );
    vec![
        ("plain", frame.clone()),
        ("padded", [&frame[..], &[0; 20]].concat()),
        ("llc snap", ethernet(packet.len() as u16 + 8, &under("aaaa03 000000 0800", &packet))),
        ("qinq", ethernet(0x88a8, &under("0064 8100 00c8 0800", &packet))),
        ("vlan with pppoe", ethernet(0x8100, &under("0007 8864", &pppoe("21", &packet)))),
        ("pseudowire", ethernet(0x8847, &under("00064140 00000000", &frame))),
        ("pseudowire without control word", ethernet(0x8847, &under("00064140", &frame))),
        ("erspan i", gre("0000 88be", &frame)),
        ("erspan ii", gre("1000 88be 00000001 1064 0001 00000002", &frame)),
        ("erspan iii", gre("1000 22eb 00000001 2064 0001 00000000 0000 0001 0000000000000000", &frame)),
        ("gre with all options", gre("b000 6558 00000000 00000001 00000002", &frame)),
        ("gre in mpls", ethernet(0x8847, &under("00064140", &gre("0000 86dd", &ipv6(6, &segment))[14..]))),
        ("4in6", ethernet(0x86dd, &ipv6(4, &packet))),
        ("6in6", ethernet(0x86dd, &ipv6(41, &ipv6(6, &segment)))),
        (
            "extension headers in a chain",
            ethernet(0x86dd, &ipv6(0, &under("2b 00 050200000000 3c 00 000000000000 2c 00 010400000000 33 00 0000 00000009 06 01 0000 00000001 00000001", &segment))),
        ),
        ("ipv4 options", {
            let options = under("46 00 0043 0001 4000 40 06 0000 c0000201 c0000202 01010101", &segment);
            assert_eq!(options.len(), 0x43 + 4);
            ethernet(0x0800, &under("46 00 0047", &options[4..]))
        }),
        ("mirror of an overlay in a provider's core", gre("1000 88be 00000001 1064 0001 00000002", &provider)),
    ]
}

fn samples() -> Vec<(String, LinkType, Vec<u8>)> {
    let rows = ROWS.iter().map(|row| {
        let (link_type, bytes) = by_row(row);
        (format!("{row:?}"), link_type, bytes)
    });
    let combined = combined()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), LinkType::ETHERNET, bytes));
    rows.chain(combined).collect()
}

/// What a test looks at of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    payload: Vec<u8>,
    snapped: usize,
    reassembled: bool,
    ports: (u16, u16),
    addresses: String,
    at: i64,
}

#[derive(Default)]
struct Run {
    decoder: Option<Decoder>,
    counters: Counters,
    anomalies: AnomalyCounts,
    at: i64,
}

impl Run {
    fn with(limits: &Limits) -> Self {
        Self {
            decoder: Some(Decoder::new(limits)),
            ..Self::default()
        }
    }

    fn feed(&mut self, link_type: LinkType, bytes: &[u8], original: usize) -> Option<Seen> {
        self.at += 1;
        let frame = Frame {
            at: Timestamp(self.at),
            link_type,
            bytes,
            original_octets: original as u32,
        };
        let decoder = self.decoder.get_or_insert_with(|| Decoder::new(&Limits::default()));
        let segment = decoder.decode(&frame, &mut self.counters, &mut self.anomalies)?;
        Some(Seen {
            payload: segment.payload.to_vec(),
            snapped: segment.snapped_octets as usize,
            reassembled: segment.reassembled,
            ports: (segment.source.port, segment.destination.port),
            addresses: format!("{} {}", segment.source.address, segment.destination.address),
            at: segment.at.0,
        })
    }

    fn ethernet(&mut self, bytes: &[u8]) -> Option<Seen> {
        self.feed(LinkType::ETHERNET, bytes, bytes.len())
    }

    fn anomalies(&self) -> Vec<&'static str> {
        let seen = self.anomalies.list().into_iter().filter(|row| row.2 > 0);
        seen.map(|row| row.0).collect()
    }
}

fn decode(link_type: LinkType, bytes: &[u8], original: usize) -> Option<Seen> {
    Run::default().feed(link_type, bytes, original)
}

/// Every frame ends in one way, and is counted there.
fn assert_each_frame_counted_once(c: &Counters) {
    let ends = c.segments
        + c.frames_unsupported_link
        + c.frames_not_ip
        + c.packets_not_tcp
        + c.frames_nested_too_deep
        + c.frames_held
        + c.frames_malformed;
    assert_eq!(ends, c.frames, "{c:?}");
}

#[test]
fn every_row_of_the_table_and_every_combination_leads_to_the_segment() {
    for (name, link_type, bytes) in samples() {
        let mut run = Run::default();
        let seen = run
            .feed(link_type, &bytes, bytes.len())
            .unwrap_or_else(|| panic!("{name}: {:?}", run.counters));
        assert_eq!(seen.payload, PAYLOAD, "{name}");
        assert_eq!((seen.snapped, seen.reassembled), (0, false), "{name}");
        assert_eq!(seen.ports, (0xc001, 25), "{name}");
        assert_eq!(run.anomalies(), [""; 0], "{name}");
        assert_each_frame_counted_once(&run.counters);
    }
}

#[test]
fn addresses_are_those_of_the_innermost_packet() {
    let v6_in_v4 = ethernet(0x0800, &ipv4(41, &ipv6(6, &tcp(PAYLOAD))));
    let v4_in_v6 = ethernet(0x86dd, &ipv6(4, &ipv4(6, &tcp(PAYLOAD))));
    for (bytes, addresses) in [(v6_in_v4, "2001:db8::1 2001:db8::2"), (v4_in_v6, "192.0.2.1 192.0.2.2")] {
        assert_eq!(Run::default().ethernet(&bytes).unwrap().addresses, addresses);
    }
}

#[test]
fn a_frame_cut_anywhere_gives_a_prefix_of_its_segment_or_nothing() {
    for (name, link_type, bytes) in samples() {
        let whole = decode(link_type, &bytes, bytes.len()).unwrap();
        for cut in 0..bytes.len() {
            for original in [bytes.len(), cut] {
                let mut run = Run::default();
                let seen = run.feed(link_type, &bytes[..cut], original);
                assert_each_frame_counted_once(&run.counters);
                let Some(seen) = seen else { continue };
                assert!(whole.payload.starts_with(&seen.payload), "{name} cut at {cut}");
                assert_eq!(
                    seen.payload.len() + seen.snapped,
                    whole.payload.len(),
                    "{name} cut at {cut}"
                );
                assert_eq!((seen.ports, seen.addresses), (whole.ports, whole.addresses.clone()));
            }
        }
    }
}

#[test]
fn a_packet_longer_than_its_frame_was_on_the_wire_is_told() {
    let bytes = ethernet(0x0800, &ipv4(6, &tcp(PAYLOAD)));
    let cut = &bytes[..bytes.len() - 5];
    for (original, anomalies) in [(bytes.len(), &[][..]), (cut.len(), &["ip_longer_than_frame"][..])] {
        let mut run = Run::default();
        let seen = run.feed(LinkType::ETHERNET, cut, original).unwrap();
        assert_eq!((seen.payload.len(), seen.snapped), (PAYLOAD.len() - 5, 5));
        assert_eq!(run.anomalies(), anomalies);
    }
}

#[test]
fn a_large_send_with_total_length_zero_has_the_captured_length() {
    let mut bytes = ethernet(0x0800, &ipv4(6, &tcp(PAYLOAD)));
    bytes[16..18].fill(0);
    let seen = decode(LinkType::ETHERNET, &bytes, bytes.len() + 9).unwrap();
    assert_eq!((&seen.payload[..], seen.snapped), (PAYLOAD, 9));
}

#[test]
fn what_is_no_tcp_is_counted_by_where_it_ended() {
    type Count = fn(&Counters) -> u64;
    let arp = ethernet(0x0806, &[0; 28]);
    let dns = ethernet(0x0800, &ipv4(17, &udp(53, b"query")));
    let bad = ethernet(0x0800, &under("44", &ipv4(6, &tcp(PAYLOAD))[1..]));
    let rows: [(u32, &[u8], Count, &[&str]); 5] = [
        (147, &arp, |c| c.frames_unsupported_link, &["link_unsupported"]),
        (1, &arp, |c| c.frames_not_ip, &[]),
        (1, &dns, |c| c.packets_not_tcp, &[]),
        (1, &bad, |c| c.frames_malformed, &["ip_malformed"]),
        (1, &[], |c| c.frames_malformed, &["link_truncated"]),
    ];
    for (link_type, bytes, count, anomalies) in rows {
        let mut run = Run::default();
        assert_eq!(run.feed(LinkType(link_type), bytes, bytes.len()), None);
        assert_eq!(count(&run.counters), 1, "{bytes:?}");
        assert_eq!(run.anomalies(), anomalies);
        assert_each_frame_counted_once(&run.counters);
    }
}

/// *depth* layers around a segment, with what each kind of layer wraps around the inner one.
fn nested(depth: usize, outermost: u16, wrap: impl Fn(Vec<u8>) -> Vec<u8>, innermost: Vec<u8>) -> Vec<u8> {
    ethernet(outermost, &(0..depth).fold(innermost, |inner, _| wrap(inner)))
}

#[test]
fn a_frame_nested_to_the_limit_is_read_and_one_deeper_is_not() {
    let limit = Limits::default().encapsulations;
    // Ethernet and the innermost IP header take two of the headers.
    let tags = |depth: usize| {
        let innermost = under("0064 0800", &ipv4(6, &tcp(PAYLOAD)));
        nested(depth - 1, 0x8100, |inner| under("0064 8100", &inner), innermost)
    };
    let ip_in_ip = |depth| nested(depth, 0x0800, |inner| ipv4(4, &inner), ipv4(6, &tcp(PAYLOAD)));
    for frame in [&tags as &dyn Fn(usize) -> Vec<u8>, &ip_in_ip] {
        assert!(Run::default().ethernet(&frame(limit - 2)).is_some());
        for depth in [limit - 1, 1000] {
            let mut run = Run::default();
            assert_eq!(run.ethernet(&frame(depth)), None);
            assert_eq!(run.counters.frames_nested_too_deep, 1);
            assert_eq!(run.anomalies(), ["link_nested_too_deep"]);
        }
    }
}

#[test]
fn ipv6_extension_headers_are_bounded_for_each_packet() {
    let limit = Limits::default().ipv6_extension_headers;
    let chain =
        |length: usize, inner: &str| format!("{} {inner} 00 010400000000", "3c 00 010400000000".repeat(length - 1));
    let packet = |length| ipv6(60, &under(&chain(length, "06"), &tcp(PAYLOAD)));
    assert!(Run::default().ethernet(&ethernet(0x86dd, &packet(limit))).is_some());
    let tunnel = ipv6(60, &under(&chain(limit, "29"), &packet(limit)));
    assert!(Run::default().ethernet(&ethernet(0x86dd, &tunnel)).is_some());
    let mut run = Run::default();
    assert_eq!(run.ethernet(&ethernet(0x86dd, &packet(limit + 1))), None);
    assert_eq!(run.counters.frames_nested_too_deep, 1);
}

/// *packet*'s payload in IPv4 fragments of *size* octets, each in a frame.
fn ipv4_fragments(protocol: u8, id: u16, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let last = payload.len().div_ceil(size) - 1;
    let fragment = |(n, octets): (usize, &[u8])| {
        let more = if n == last { 0 } else { 0x2000 };
        ipv4_place(protocol, id, more | (n * size / 8) as u16, octets)
    };
    payload.chunks(size).enumerate().map(fragment).collect()
}

fn ipv6_fragments(next_header: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let last = payload.len().div_ceil(size) - 1;
    let fragment = |(n, octets): (usize, &[u8])| {
        let offset_and_more = (n * size) | usize::from(n != last);
        ipv6(
            44,
            &under(&format!("{next_header:02x} 00 {offset_and_more:04x} 00000001"), octets),
        )
    };
    payload.chunks(size).enumerate().map(fragment).collect()
}

#[test]
fn the_last_fragment_gives_the_segment_with_its_packet_time() {
    let v4 = ipv4_fragments(6, 1, &tcp(PAYLOAD), 16);
    let options = under("06 00 010400000000", &tcp(PAYLOAD));
    let v6 = ipv6_fragments(60, &options, 16);
    for (ethertype, packets, address) in [(0x0800, v4, "192.0.2.1"), (0x86dd, v6, "2001:db8::1")] {
        let mut run = Run::default();
        let seen: Vec<_> = packets
            .iter()
            .rev()
            .map(|packet| run.ethernet(&ethernet(ethertype, packet)))
            .collect();
        let (last, before) = seen.split_last().unwrap();
        let last = last.clone().unwrap();
        assert!(before.iter().all(Option::is_none));
        assert_eq!((&last.payload[..], last.reassembled), (PAYLOAD, true));
        assert_eq!(last.at, packets.len() as i64);
        assert!(last.addresses.starts_with(address));
        assert_eq!(run.counters.fragments, packets.len() as u64);
        assert_eq!(run.counters.datagrams_reassembled, 1);
        assert_eq!(run.counters.frames_held, packets.len() as u64 - 1);
        assert_each_frame_counted_once(&run.counters);
    }
}

#[test]
fn a_fragmented_tunnel_that_holds_fragments_is_read() {
    let mut run = Run::default();
    let mut seen = Vec::new();
    for (id, inner) in ipv4_fragments(6, 9, &tcp(PAYLOAD), 24).into_iter().enumerate() {
        let gre = under("0000 0800", &inner);
        for outer in ipv4_fragments(47, 100 + id as u16, &gre, 24) {
            seen.extend(run.ethernet(&ethernet(0x0800, &outer)));
        }
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].payload, PAYLOAD);
    assert_eq!(run.counters.datagrams_reassembled, 3);
    assert_each_frame_counted_once(&run.counters);
}

#[test]
fn fragments_do_not_lift_the_limit_on_nesting() {
    let limits = Limits {
        encapsulations: 4,
        ..Limits::default()
    };
    let deep = ipv4(4, &ipv4(4, &ipv4(6, &tcp(PAYLOAD))));
    for (protocol, payload, read) in [(6, tcp(PAYLOAD), true), (4, deep, false)] {
        let mut run = Run::with(&limits);
        let packets = ipv4_fragments(protocol, 1, &payload, 40);
        let seen = packets
            .iter()
            .fold(None, |_, packet| run.ethernet(&ethernet(0x0800, packet)));
        assert_eq!(seen.is_some(), read);
        assert_eq!(run.counters.frames_nested_too_deep, u64::from(!read));
    }
}

#[test]
fn snapped_fragments_give_the_octets_before_the_first_cut() {
    let mut run = Run::default();
    let packets = ipv4_fragments(6, 1, &tcp(PAYLOAD), 24);
    let mut seen = None;
    for packet in &packets {
        let frame = ethernet(0x0800, packet);
        seen = run.feed(LinkType::ETHERNET, &frame[..frame.len().min(14 + 20 + 22)], frame.len());
    }
    let seen = seen.unwrap();
    assert_eq!((&seen.payload[..], seen.snapped), (&PAYLOAD[..2], PAYLOAD.len() - 2));
}

#[test]
fn finishing_counts_the_fragments_that_stayed_alone() {
    let mut run = Run::default();
    run.ethernet(&ethernet(0x0800, &ipv4_fragments(6, 1, &tcp(PAYLOAD), 24)[0]));
    run.decoder
        .as_mut()
        .unwrap()
        .finish(&mut run.counters, &mut run.anomalies);
    assert_eq!(run.counters.fragments_dropped, 1);
    assert_eq!(run.anomalies.count(Anomaly::IpFragmentTimeout), 1);
}

/// A sample frame with some octets overwritten, and cut.
#[derive(Clone, Debug)]
struct Damaged {
    sample: prop::sample::Index,
    octets: Vec<(prop::sample::Index, u8)>,
    kept: usize,
}

fn damaged() -> impl Strategy<Value = Damaged> {
    let octets = prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4);
    (any::<prop::sample::Index>(), octets, 0..400_usize).prop_map(|(sample, octets, kept)| Damaged {
        sample,
        octets,
        kept,
    })
}

proptest! {
    #[test]
    fn random_octets_of_every_link_type_are_counted_once(
        bytes in prop::collection::vec(any::<u8>(), 0..200), more in 0..2000_usize,
    ) {
        for row in ROWS.iter().filter(|row| row.space == "link_type") {
            let mut run = Run::default();
            let seen = run.feed(LinkType(row.key), &bytes, bytes.len() + more);
            assert_each_frame_counted_once(&run.counters);
            prop_assert!(seen.is_none_or(|seen| seen.payload.len() <= bytes.len() && seen.snapped <= 65_535 + more));
        }
    }

    #[test]
    fn damaged_frames_are_counted_once(frames in prop::collection::vec(damaged(), 1..8)) {
        let samples = samples();
        let mut run = Run::default();
        for frame in &frames {
            let (_, link_type, mut bytes) = frame.sample.get(&samples).clone();
            for (place, octet) in &frame.octets {
                let place = place.index(bytes.len());
                bytes[place] = *octet;
            }
            run.feed(link_type, &bytes[..bytes.len().min(frame.kept)], bytes.len());
        }
        assert_each_frame_counted_once(&run.counters);
    }

    #[test]
    fn arbitrary_octets_end_normally(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_each_frame_counted_once(&decode_arbitrary(&octets));
    }

    /// Fragments that agree, in any order, overlapping and repeated, give what was cut up.
    #[test]
    fn the_segment_does_not_depend_on_how_it_was_fragmented(
        payload in prop::collection::vec(any::<u8>(), 1..300),
        cuts in prop::collection::vec((0..40_usize, 1..12_usize), 0..20),
        v6 in any::<bool>(),
        seed in any::<prop::sample::Index>(),
    ) {
        let datagram = tcp(&payload);
        let units = datagram.len().div_ceil(8);
        // The plain cut covers everything; the random ones add overlap and copies.
        let plain = (0..units).step_by(5).map(|unit| (unit, 5));
        let mut pieces: Vec<_> = plain.chain(cuts.into_iter().filter(|cut| cut.0 < units)).collect();
        let turn = seed.index(pieces.len());
        pieces.rotate_left(turn);
        let mut run = Run::default();
        let mut seen = Vec::new();
        for (unit, count) in pieces {
            let (from, to) = (unit * 8, ((unit + count) * 8).min(datagram.len()));
            let more = to < datagram.len();
            let octets = &datagram[from..to];
            let frame = if v6 {
                ethernet(0x86dd, &ipv6(44, &under(&format!("06 00 {:04x} 00000001", from | usize::from(more)), octets)))
            } else {
                ethernet(0x0800, &ipv4_place(6, 1, if more { 0x2000 } else { 0 } | unit as u16, octets))
            };
            seen.extend(run.ethernet(&frame));
        }
        prop_assert!(!seen.is_empty());
        for each in &seen {
            prop_assert_eq!(&each.payload, &payload);
        }
        prop_assert_eq!(run.anomalies.count(Anomaly::IpFragmentOverlap), 0);
    }
}
