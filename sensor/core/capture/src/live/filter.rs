//! The filter that the kernel runs on each frame before it is copied: mail passes, and whatever might hold mail.
//!
//! What a filter sees from outside it judges: TCP in IPv4 or IPv6, behind up to [`TAGS`] VLAN tags in band (the kernel has taken a
//! tag off already where it could; then there is none), on one of the mail ports. What it can't see into it lets through whole, for
//! the decoder to tell: all fragments, extension headers of IPv6, IP in IP, GRE with ERSPAN, VXLAN, GENEVE, MPLS, PPPoE,
//! Ethernet in IP. A filter that asked for ports alone would drop all mail on a mirrored link of a provider, and say nothing.
//!
//! The same rule as a promise: of every frame in which the decoder finds TCP on these ports, or a fragment, none is dropped.

use wire::frame::LinkType;

pub use super::assembler::Instruction;
use super::assembler::{code, Assembler, Label};

/// Ports that mail goes by: SMTP, submission with and without TLS, LMTP, the common spare port of providers, and the ports
/// by which a relay hands mail to its content filter and back (amavis with Postfix: 10024 to 10026). Those of filters
/// are there since a span port in front of a gateway shows no other clear copy where the outside speaks TLS.
pub const MAIL_PORTS: [u16; 8] = [24, 25, 465, 587, 2_525, 10_024, 10_025, 10_026];

/// VLAN tags in band that the filter looks behind; what has more passes whole.
pub(super) const TAGS: usize = 3;

/// Ethertypes of 802.1Q, 802.1ad, and of QinQ before it.
pub(super) const TAG_TYPES: [u32; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// MPLS, MPLS upstream, PPPoE session, Ethernet in Ethernet.
const OPAQUE_TYPES: [u32; 4] = [0x8847, 0x8848, 0x8864, 0x6558];
/// The least ethertype; less is the length of an 802.3 frame.
const LEAST_TYPE: u32 = 0x600;
/// SNAP, and IP by its own access points (RFC 948, RFC 1042).
const LLC_WITH_IP: [u32; 2] = [0xaaaa, 0x0606];
/// IPv4, IPv6, GRE, authentication header, MPLS, Ethernet.
const OPAQUE_PROTOCOLS: [u32; 6] = [4, 41, 47, 51, 137, 143];
/// Routing, fragment, destination options.
pub(super) const EXTENSION_HEADERS: [u32; 3] = [43, 44, 60];
/// Hop-by-hop options: nearly always those of a host that tells its router which groups it is in (MLD, RFC 3810 5).
pub(super) const HOP_BY_HOP: u32 = 0;
const ICMPV6: u32 = 58;
/// VXLAN, VXLAN of Linux before its port was assigned, VXLAN-GPE, GENEVE.
pub(super) const TUNNEL_PORTS: [u32; 4] = [4_789, 8_472, 4_790, 6_081];
pub(super) const TCP: u32 = 6;
pub(super) const UDP: u32 = 17;

/// The kind of packet (`SKF_AD_PKTTYPE`), at a place that no frame has; and its value for what this host sent.
pub(super) const PACKET_KIND: u32 = 0xffff_f004;
pub(super) const OUTGOING: u32 = 4;

/// What is to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Every frame.
    Everything,
    /// TCP on these ports, on either side, and what may hold it.
    Ports(Vec<u16>),
}

/// The program for frames of *link_type* ([`LinkType::ETHERNET`], else bare IP), which cuts what passes at *snap_octets*.
///
/// With *skip_outgoing*, for loopback, where every frame is shown twice, the copy shown on the way out is dropped.
#[must_use]
pub fn program(pass: &Pass, link_type: LinkType, snap_octets: u32, skip_outgoing: bool) -> Vec<Instruction> {
    let mut it = Assembler::default();
    let ends = Ends {
        pass: it.label(),
        drop: it.label(),
    };
    if skip_outgoing {
        it.put(code::LOAD_WORD, PACKET_KIND);
        it.jump_if(code::IF_EQUAL, OUTGOING, ends.drop);
    }
    if let Pass::Ports(ports) = pass {
        it.put(code::SET_X, 0);
        match link_type {
            LinkType::ETHERNET => ethernet(&mut it, ends, ports),
            _ => bare_ip(&mut it, ends, ports),
        }
    }
    it.set(ends.pass);
    it.put(code::RETURN, snap_octets);
    it.set(ends.drop);
    it.put(code::RETURN, 0);
    it.finish().unwrap_or_default()
}

#[derive(Clone, Copy)]
struct Ends {
    pass: Label,
    drop: Label,
}

/// Where headers lie: X holds the octets of tags, and later of the IP header, `base` those of the link header.
struct Ip {
    v4: Label,
    v6: Label,
    base: u32,
}

fn ethernet(it: &mut Assembler, ends: Ends, ports: &[u16]) {
    const TYPE: u32 = 12;
    const BEHIND_TYPE: u32 = 14;
    let ip = Ip {
        v4: it.label(),
        v6: it.label(),
        base: BEHIND_TYPE,
    };
    let other = it.label();
    for tags in 0..=TAGS {
        let tagged = if tags == TAGS { ends.pass } else { it.label() };
        it.put(code::LOAD_SHORT_AT_X, TYPE);
        it.jump_if(code::IF_EQUAL, 0x0800, ip.v4);
        it.jump_if(code::IF_EQUAL, 0x86dd, ip.v6);
        it.jump_if_one_of(&TAG_TYPES, tagged);
        it.jump(other);
        if tags < TAGS {
            it.set(tagged);
            it.put(code::COPY_FROM_X, 0);
            it.put(code::ADD, 4);
            it.put(code::COPY_TO_X, 0);
        }
    }
    it.set(other);
    it.jump_if_one_of(&OPAQUE_TYPES, ends.pass);
    it.jump_if(code::IF_AT_LEAST, LEAST_TYPE, ends.drop);
    it.put(code::LOAD_SHORT_AT_X, BEHIND_TYPE);
    it.jump_if_one_of(&LLC_WITH_IP, ends.pass);
    it.jump(ends.drop);
    packet(it, ends, &ip, ports);
}

fn bare_ip(it: &mut Assembler, ends: Ends, ports: &[u16]) {
    let ip = Ip {
        v4: it.label(),
        v6: it.label(),
        base: 0,
    };
    it.put(code::LOAD_OCTET_AT_X, 0);
    it.put(code::SHIFT_RIGHT, 4);
    it.jump_if(code::IF_EQUAL, 4, ip.v4);
    it.jump_if(code::IF_EQUAL, 6, ip.v6);
    it.jump(ends.drop);
    packet(it, ends, &ip, ports);
}

/// Both IP headers (RFC 791 3.1, RFC 8200 3), each up to what it carries.
fn packet(it: &mut Assembler, ends: Ends, ip: &Ip, ports: &[u16]) {
    const V6_OCTETS: u32 = 40;
    let (tcp, udp) = (it.label(), it.label());
    let (v4_tcp, v4_udp, v6_tcp, v6_udp) = (it.label(), it.label(), it.label(), it.label());
    let v6_options = it.label();
    it.set(ip.v4);
    it.put(code::LOAD_SHORT_AT_X, ip.base + 6);
    it.jump_if(code::IF_ANY_BIT, 0x3fff, ends.pass); // more fragments, or an offset
    it.put(code::LOAD_OCTET_AT_X, ip.base + 9);
    it.jump_if(code::IF_EQUAL, TCP, v4_tcp);
    it.jump_if(code::IF_EQUAL, UDP, v4_udp);
    it.jump_if_one_of(&OPAQUE_PROTOCOLS, ends.pass);
    it.jump(ends.drop);
    for (label, next) in [(v4_tcp, tcp), (v4_udp, udp)] {
        it.set(label);
        it.put(code::LOAD_OCTET_AT_X, ip.base);
        it.put(code::AND, 0xf);
        it.put(code::SHIFT_LEFT, 2);
        it.put(code::ADD_X, 0);
        it.put(code::COPY_TO_X, 0);
        it.jump(next);
    }
    it.set(ip.v6);
    it.put(code::LOAD_OCTET_AT_X, ip.base + 6);
    it.jump_if(code::IF_EQUAL, TCP, v6_tcp);
    it.jump_if(code::IF_EQUAL, UDP, v6_udp);
    it.jump_if(code::IF_EQUAL, HOP_BY_HOP, v6_options);
    it.jump_if_one_of(&EXTENSION_HEADERS, ends.pass);
    it.jump_if_one_of(&OPAQUE_PROTOCOLS, ends.pass);
    it.jump(ends.drop);
    it.set(v6_options);
    it.put(code::LOAD_OCTET_AT_X, ip.base + V6_OCTETS);
    it.jump_if(code::IF_EQUAL, ICMPV6, ends.drop);
    it.jump(ends.pass);
    for (label, next) in [(v6_tcp, tcp), (v6_udp, udp)] {
        it.set(label);
        it.put(code::COPY_FROM_X, 0);
        it.put(code::ADD, V6_OCTETS);
        it.put(code::COPY_TO_X, 0);
        it.jump(next);
    }
    let ports: Vec<u32> = ports.iter().copied().map(u32::from).collect();
    it.set(tcp);
    it.put(code::LOAD_SHORT_AT_X, ip.base);
    it.jump_if_one_of(&ports, ends.pass);
    it.put(code::LOAD_SHORT_AT_X, ip.base + 2);
    it.jump_if_one_of(&ports, ends.pass);
    it.jump(ends.drop);
    it.set(udp);
    it.put(code::LOAD_SHORT_AT_X, ip.base + 2);
    it.jump_if_one_of(&TUNNEL_PORTS, ends.pass);
    it.jump(ends.drop);
}

#[cfg(test)]
mod tests;
