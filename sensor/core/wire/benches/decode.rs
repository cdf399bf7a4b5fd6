//! Nanoseconds from a frame to its segment, for the frames a span port delivers most.

#![allow(missing_docs)] // criterion_group! makes a public function

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use wire::anomaly::AnomalyCounts;
use wire::counters::Counters;
use wire::decoder::Decoder;
use wire::frame::{Frame, LinkType, Timestamp};
use wire::limits::Limits;

const PAYLOAD: [u8; 1_400] = [b'x'; 1_400];
const ADDRESSES: [u8; 12] = [0x0a, 0, 0, 0, 0, 1, 0x0a, 0, 0, 0, 0, 2];

fn tcp() -> Vec<u8> {
    let header = [
        0xc0, 1, 0, 25, 0, 0, 0, 100, 0, 0, 0, 200, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0,
    ];
    [&header[..], &PAYLOAD].concat()
}

fn ipv4(protocol: u8, inner: &[u8]) -> Vec<u8> {
    let total = (inner.len() as u16 + 20).to_be_bytes();
    let mut header = [0_u8; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&total);
    header[8] = 64;
    header[9] = protocol;
    header[12..20].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    [&header, inner].concat()
}

fn ipv6(next_header: u8, inner: &[u8]) -> Vec<u8> {
    let mut header = [0x20_u8; 40];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&(inner.len() as u16).to_be_bytes());
    header[6] = next_header;
    [&header, inner].concat()
}

fn ethernet(head: &[u8], inner: &[u8]) -> Vec<u8> {
    [&ADDRESSES, head, inner].concat()
}

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let plain = ethernet(&[8, 0], &ipv4(6, &tcp()));
    let vxlan = [&[0xc0, 1, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0], &plain[..]].concat();
    vec![
        ("ethernet_ipv4", plain),
        (
            "ethernet_vlan_ipv4",
            ethernet(&[0x81, 0, 0, 100, 8, 0], &ipv4(6, &tcp())),
        ),
        ("ethernet_ipv6", ethernet(&[0x86, 0xdd], &ipv6(6, &tcp()))),
        ("vxlan", ethernet(&[8, 0], &ipv4(17, &vxlan))),
        ("arp", ethernet(&[8, 6], &[0; 46])),
    ]
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in cases() {
        let mut decoder = Decoder::new(&Limits::default());
        let mut counters = Counters::default();
        let mut anomalies = AnomalyCounts::default();
        group.bench_function(name, |b| {
            b.iter(|| {
                let frame = Frame {
                    at: Timestamp(1),
                    link_type: LinkType::ETHERNET,
                    bytes: black_box(&bytes),
                    original_octets: bytes.len() as u32,
                };
                black_box(decoder.decode(&frame, &mut counters, &mut anomalies)).is_some()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
