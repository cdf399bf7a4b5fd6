//! Segments of flows that speak SMTP, more or less: recognition, sessions and records above the flow table.
#![no_main]

use std::sync::Arc;

use core_fuzz::segments::Segments;
use core_fuzz::{check_event, small_limits, INTEREST};
use libfuzzer_sys::fuzz_target;
use wire::engine::Engine;
use wire::frame::{Frame, LinkType};
use wire::tcp::segment::Segment;

fuzz_target!(|octets: &[u8]| {
    let limits = small_limits();
    let mut engine = Engine::new(Arc::clone(&INTEREST), limits.clone());
    for made in Segments::new(octets) {
        let segment = made.segment();
        let packet = packet(&segment);
        engine.frame(&Frame {
            at: segment.at,
            link_type: LinkType::IPV4,
            bytes: &packet,
            original_octets: packet.len() as u32 + segment.snapped_octets,
        });
    }
    engine.finish();
    engine.events().iter().for_each(|event| check_event(event, &limits));
});

/// *segment* in an IPv4 packet, without checksums.
fn packet(segment: &Segment<'_>) -> Vec<u8> {
    const HEADERS: usize = 40;
    let total = (HEADERS + segment.payload.len()).saturating_add(segment.snapped_octets as usize);
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(total).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    for end in [segment.source, segment.destination] {
        if let std::net::IpAddr::V4(address) = end.address {
            packet.extend(address.octets());
        }
    }
    packet.extend(segment.source.port.to_be_bytes());
    packet.extend(segment.destination.port.to_be_bytes());
    packet.extend(segment.seq.0.to_be_bytes());
    packet.extend(segment.ack.0.to_be_bytes());
    packet.extend([0x50, segment.flags.0, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(segment.payload);
    packet
}
