use proptest::prelude::*;
use wire::anomaly::AnomalyCounts;
use wire::counters::Counters;
use wire::decoder::Decoder;
use wire::frame::Frame;
use wire::limits::Limits;

use super::super::interpreter::run;
use super::*;
use crate::testing::{captured, Captured};

const SNAP: u32 = 262_144;

fn mail_program(link_type: LinkType) -> Vec<Instruction> {
    program(&Pass::Ports(MAIL_PORTS.to_vec()), link_type, SNAP, false)
}

fn passes(link_type: LinkType, bytes: &[u8]) -> bool {
    run(&mail_program(link_type), bytes, 0) != 0
}

/// Octets in hex; blanks and line ends are for people.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs.map(|pair| u8::from_str_radix(&pair, 16).unwrap()).collect()
}

const MACS: &str = "02005e000002 02005e000001";
const V4: &str = "4500 0028 0001 4000 4006 0000 c0000201 c6336419";
const V4_FIRST_PIECE: &str = "4500 0028 0001 2000 4006 0000 c0000201 c6336419";
const V4_OPTIONS: &str = "4600 002c 0001 4000 4006 0000 c0000201 c6336419 94040000";
const V4_UDP: &str = "4500 0028 0001 4000 4011 0000 c0000201 c6336419";
const V4_GRE: &str = "4500 0028 0001 4000 402f 0000 c0000201 c6336419";
const V4_ICMP: &str = "4500 0028 0001 4000 4001 0000 c0000201 c6336419";
const V6: &str = "60000000 0014 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002";
const V6_ICMP: &str = "60000000 0014 3a 40 20010db8000000000000000000000001 20010db8000000000000000000000002";
const V6_PIECE: &str = "60000000 0014 2c 40 20010db8000000000000000000000001 20010db8000000000000000000000002";
const V6_OPTIONS: &str = "60000000 001c 00 40 20010db8000000000000000000000001 20010db8000000000000000000000002";
const TO_SMTP: &str = "9c40 0019 00000000 00000000 5000 0000 0000 0000";
const FROM_SMTP: &str = "0019 9c40 00000000 00000000 5000 0000 0000 0000";
const HTTP: &str = "9c40 0050 00000000 00000000 5000 0000 0000 0000";
const VXLAN: &str = "9c40 12b5 0008 0000";
const DNS: &str = "12b5 0035 0008 0000";

#[test]
fn mail_and_what_may_hold_it_passes_and_nothing_else() {
    let cases: &[(&str, &[&str], bool)] = &[
        ("mail", &[MACS, "0800", V4, TO_SMTP], true),
        ("the way back", &[MACS, "0800", V4, FROM_SMTP], true),
        ("the web", &[MACS, "0800", V4, HTTP], false),
        ("IPv4 options", &[MACS, "0800", V4_OPTIONS, TO_SMTP], true),
        ("the web with IPv4 options", &[MACS, "0800", V4_OPTIONS, HTTP], false),
        ("a first fragment", &[MACS, "0800", V4_FIRST_PIECE, HTTP], true),
        ("IPv6", &[MACS, "86dd", V6, FROM_SMTP], true),
        ("the web by IPv6", &[MACS, "86dd", V6, HTTP], false),
        ("a fragment of IPv6", &[MACS, "86dd", V6_PIECE], true),
        (
            "hop-by-hop options",
            &[MACS, "86dd", V6_OPTIONS, "0600 050200000100", TO_SMTP],
            true,
        ),
        (
            "who is in which group",
            &[MACS, "86dd", V6_OPTIONS, "3a00 050200000100"],
            false,
        ),
        ("a ping", &[MACS, "0800", V4_ICMP, TO_SMTP], false),
        ("a ping by IPv6", &[MACS, "86dd", V6_ICMP, TO_SMTP], false),
        ("a tag", &[MACS, "8100 0007 0800", V4, TO_SMTP], true),
        ("the web behind a tag", &[MACS, "8100 0007 0800", V4, HTTP], false),
        ("two tags, IPv6", &[MACS, "88a8 0007 8100 0008 86dd", V6, TO_SMTP], true),
        (
            "the web behind three",
            &[MACS, "9100 0007 88a8 0007 8100 0008 86dd", V6, HTTP],
            false,
        ),
        (
            "four tags",
            &[MACS, "9100 0007 9100 0007 88a8 0007 8100 0008 0800"],
            true,
        ),
        ("VXLAN", &[MACS, "0800", V4_UDP, VXLAN], true),
        ("a name server", &[MACS, "0800", V4_UDP, DNS], false),
        ("GRE", &[MACS, "0800", V4_GRE], true),
        ("MPLS", &[MACS, "8847 00010140"], true),
        ("PPPoE behind a tag", &[MACS, "8100 0007 8864"], true),
        ("SNAP", &[MACS, "0030 aaaa 03 000000 0800"], true),
        ("a spanning tree", &[MACS, "0026 4242 03"], false),
        ("ARP", &[MACS, "0806 0001 0800"], false),
        ("a header that is cut", &[MACS, "0800", V4, "9c40"], false),
        ("nothing", &[], false),
    ];
    for (name, parts, expected) in cases {
        assert_eq!(
            passes(LinkType::ETHERNET, &octets(&parts.concat())),
            *expected,
            "{name}"
        );
    }
}

#[test]
fn bare_ip_is_told_by_its_version() {
    for (parts, expected) in [
        (vec![V4, TO_SMTP], true),
        (vec![V4_OPTIONS, HTTP], false),
        (vec![V6, FROM_SMTP], true),
        (vec![V6, HTTP], false),
        (vec!["00"], false),
        (vec![], false),
    ] {
        assert_eq!(passes(LinkType::RAW, &octets(&parts.concat())), expected, "{parts:?}");
    }
}

#[test]
fn what_loopback_shows_on_the_way_out_is_dropped() {
    let frame = octets(&[MACS, "0800", V4, TO_SMTP].concat());
    for pass in [Pass::Everything, Pass::Ports(vec![25])] {
        let once = program(&pass, LinkType::ETHERNET, 96, true);
        assert_eq!((run(&once, &frame, 0), run(&once, &frame, OUTGOING)), (96, 0));
        let both = program(&pass, LinkType::ETHERNET, 96, false);
        assert_eq!((run(&both, &frame, 0), run(&both, &frame, OUTGOING)), (96, 96));
    }
}

#[test]
fn the_longest_program_fits_the_kernel() {
    let ports = (1..=256).collect();
    let longest = program(&Pass::Ports(ports), LinkType::ETHERNET, SNAP, true);
    assert!((1_024..4_096).contains(&longest.len()), "{}", longest.len());
}

/// What the decoder makes of a frame: true if it is a piece of a datagram, or TCP on a mail port.
fn must_pass(decoder: &mut Decoder, frame: &Frame<'_>) -> bool {
    let (mut counters, mut anomalies) = (Counters::default(), AnomalyCounts::default());
    let is_mail = |port: u16| MAIL_PORTS.contains(&port);
    let segment = decoder.decode(frame, &mut counters, &mut anomalies);
    let mail = segment.is_some_and(|it| is_mail(it.source.port) || is_mail(it.destination.port));
    mail || counters.fragments > 0
}

fn frame_of(link_type: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        at: wire::frame::Timestamp(0),
        link_type,
        bytes,
        original_octets: bytes.len() as u32,
    }
}

#[test]
fn no_frame_of_any_capture_that_holds_mail_is_dropped() {
    let mut decoder = Decoder::new(&Limits::default());
    let (mut mail, mut dropped) = (0, 0);
    for (_, link_type, bytes) in captured() {
        let passes = passes(link_type, &bytes);
        if must_pass(&mut decoder, &frame_of(link_type, &bytes)) {
            mail += 1;
            assert!(passes, "{link_type:?} {bytes:02x?}");
        }
        dropped += usize::from(!passes);
    }
    assert!(mail > 5_000 && dropped > 20, "{mail} frames of mail, {dropped} dropped");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever becomes of the headers: what the decoder takes for mail, the filter lets through.
    #[test]
    fn a_changed_frame_that_still_holds_mail_passes(changes in prop::collection::vec((any::<usize>(), 0_usize..70, any::<u8>()), 400)) {
        thread_local!(static CAPTURED: Vec<Captured> = captured());
        CAPTURED.with(|captured| for (which, place, octet) in changes {
            let (_, link_type, mut bytes) = captured[which % captured.len()].clone();
            if let Some(changed) = bytes.get_mut(place) {
                *changed = octet;
            }
            let mut decoder = Decoder::new(&Limits::default());
            if must_pass(&mut decoder, &frame_of(link_type, &bytes)) {
                assert!(passes(link_type, &bytes), "{link_type:?} {bytes:02x?}");
            }
        });
    }
}
