//! The program by which the kernel shares frames out among the rings of an interface: by flow, both directions alike, and by the
//! flow inside where frames come in a tunnel.
//!
//! The kernel's own hash stops at UDP. A tunnel that rides there (VXLAN, GENEVE) gives the two directions of one flow source ports of
//! their own, so by that hash they would part. This one walks on to the addresses and ports of the innermost TCP, through at most
//! [`LEVELS`] IP headers. Where it can't see further (a piece of a datagram inside a tunnel, an unknown protocol) it goes by the last
//! addresses that it saw, and where there were none, every frame goes to the first ring.
//!
//! It sees a frame from its network header on, but one on the way out from its link header on; an outer VLAN tag is taken off.

use wire::frame::LinkType;

use super::assembler::{code, Assembler, Instruction, Label};
use super::filter::{EXTENSION_HEADERS, HOP_BY_HOP, OUTGOING, PACKET_KIND, TAGS, TAG_TYPES, TCP, TUNNEL_PORTS, UDP};

/// IP headers that are walked through: a mirror in a tunnel, of a network that is one.
const LEVELS: usize = 3;
/// Labels of MPLS that are stepped over.
const MPLS_LABELS: usize = 4;
/// Extension headers of IPv6 that are stepped over.
const EXTENSIONS: usize = 2;

/// The ethertype of a frame (`SKF_AD_PROTOCOL`), at a place that no frame has.
const ETHERTYPE: u32 = 0xffff_f000;
const LINK_OCTETS: u32 = 14;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const MPLS: [u32; 2] = [0x8847, 0x8848];
const PPPOE: u32 = 0x8864;
const ETHERNET: u32 = 0x6558;
const ERSPAN_I_OR_II: u32 = 0x88be;
const ERSPAN_III: u32 = 0x22eb;
const PPP_IPV4: u32 = 0x0021;
const PPP_IPV6: u32 = 0x0057;
const IPV4_IN_IP: u32 = 4;
const IPV6_IN_IP: u32 = 41;
const GRE: u32 = 47;
const VXLAN_GPE: u32 = 4_790;
const GENEVE: u32 = 6_081;

/// Memory of the program: what the addresses came to.
const ADDRESSES: u32 = 0;
/// Where it puts something aside for a moment.
const ASIDE: u32 = 1;

/// The program for frames of *link_type* ([`LinkType::ETHERNET`], else bare IP). What it gives, less the whole multiples of the number of
/// rings, is the number of the ring.
#[must_use]
pub fn program(link_type: LinkType) -> Vec<Instruction> {
    let mut it = Assembler::default();
    let levels: Vec<Level> = (0..LEVELS).map(|_| Level::new(&mut it)).collect();
    let ends = Ends {
        addresses: it.label(),
        first_ring: it.label(),
    };
    it.put(code::SET_X, 0);
    if link_type == LinkType::ETHERNET {
        let network = it.label();
        it.put(code::LOAD_WORD, PACKET_KIND);
        it.jump_unless(code::IF_EQUAL, OUTGOING, network);
        it.put(code::SET_X, LINK_OCTETS);
        it.set(network);
    }
    it.put(code::LOAD_WORD, ETHERTYPE);
    it.jump(levels[0].network);
    for (number, level) in levels.iter().enumerate() {
        network(&mut it, level, ends);
        packet(&mut it, level, levels.get(number + 1), ends);
    }
    it.set(ends.addresses);
    it.put(code::LOAD_MEMORY, ADDRESSES);
    mix(&mut it);
    it.set(ends.first_ring);
    it.put(code::RETURN, 0);
    it.finish().unwrap_or_default()
}

/// Where the program goes on with the header at X.
#[derive(Clone, Copy)]
struct Level {
    /// With the octets of an Ethernet header.
    ethernet: Label,
    /// With what the ethertype in the accumulator says.
    network: Label,
    v4: Label,
    v6: Label,
}

impl Level {
    fn new(it: &mut Assembler) -> Self {
        Self {
            ethernet: it.label(),
            network: it.label(),
            v4: it.label(),
            v6: it.label(),
        }
    }
}

#[derive(Clone, Copy)]
struct Ends {
    /// What lies here goes by the addresses seen last.
    addresses: Label,
    first_ring: Label,
}

/// From the ethertype in the accumulator to the IP header, over tags, MPLS and PPPoE.
fn network(it: &mut Assembler, level: &Level, ends: Ends) {
    let (mpls, pppoe) = (it.label(), it.label());
    it.set(level.ethernet);
    it.put(code::LOAD_SHORT_AT_X, LINK_OCTETS - 2);
    step(it, LINK_OCTETS);
    it.set(level.network);
    for _ in 0..TAGS {
        let (tag, behind) = (it.label(), it.label());
        it.jump_if_one_of(&TAG_TYPES, tag);
        it.jump(behind);
        it.set(tag);
        it.put(code::LOAD_SHORT_AT_X, 2);
        step(it, 4);
        it.set(behind);
    }
    it.jump_if(code::IF_EQUAL, IPV4, level.v4);
    it.jump_if(code::IF_EQUAL, IPV6, level.v6);
    it.jump_if_one_of(&MPLS, mpls);
    it.jump_if(code::IF_EQUAL, PPPOE, pppoe);
    it.jump(ends.first_ring);
    it.set(pppoe);
    it.put(code::LOAD_SHORT_AT_X, 6);
    step(it, 8);
    it.jump_if(code::IF_EQUAL, PPP_IPV4, level.v4);
    it.jump_if(code::IF_EQUAL, PPP_IPV6, level.v6);
    it.jump(ends.first_ring);
    it.set(mpls);
    let bottom = it.label();
    for _ in 0..MPLS_LABELS {
        it.put(code::LOAD_OCTET_AT_X, 2);
        step(it, 4);
        it.jump_if(code::IF_ANY_BIT, 1, bottom);
    }
    it.jump(ends.first_ring);
    it.set(bottom);
    it.put(code::LOAD_OCTET_AT_X, 0);
    it.put(code::SHIFT_RIGHT, 4);
    it.jump_if(code::IF_EQUAL, 4, level.v4);
    it.jump_if(code::IF_EQUAL, 6, level.v6);
    it.jump(ends.first_ring);
}

/// Both IP headers at X, what they carry, and from there to the end or the next *level*.
fn packet(it: &mut Assembler, level: &Level, inner: Option<&Level>, ends: Ends) {
    let carried = it.label();
    v4(it, level, carried, ends);
    v6(it, level, carried);
    it.set(carried);
    let (tcp, udp, gre) = (it.label(), it.label(), it.label());
    it.jump_if(code::IF_EQUAL, TCP, tcp);
    if let Some(inner) = inner {
        it.jump_if(code::IF_EQUAL, UDP, udp);
        it.jump_if(code::IF_EQUAL, GRE, gre);
        it.jump_if(code::IF_EQUAL, IPV4_IN_IP, inner.v4);
        it.jump_if(code::IF_EQUAL, IPV6_IN_IP, inner.v6);
    }
    it.jump(ends.addresses);
    it.set(tcp);
    ports(it);
    if let Some(inner) = inner {
        it.set(udp);
        tunnel_in_udp(it, inner, ends);
        it.set(gre);
        tunnel_in_gre(it, inner, ends);
    }
}

/// Leaves the protocol in the accumulator, X behind the header, and the addresses in memory (RFC 791 3.1).
fn v4(it: &mut Assembler, level: &Level, carried: Label, ends: Ends) {
    it.set(level.v4);
    it.put(code::LOAD_WORD_AT_X, 12);
    it.put(code::STORE, ADDRESSES);
    it.put(code::LOAD_WORD_AT_X, 16);
    fold(it, ADDRESSES);
    it.put(code::LOAD_SHORT_AT_X, 6);
    it.jump_if(code::IF_ANY_BIT, 0x3fff, ends.addresses); // more fragments, or an offset
    it.put(code::LOAD_OCTET_AT_X, 9);
    it.put(code::STORE, ASIDE);
    it.put(code::LOAD_OCTET_AT_X, 0);
    it.put(code::AND, 0xf);
    it.put(code::SHIFT_LEFT, 2);
    it.put(code::ADD_X, 0);
    it.put(code::COPY_TO_X, 0);
    it.put(code::LOAD_MEMORY, ASIDE);
    it.jump(carried);
}

/// As [`v4`] (RFC 8200 3, 4).
fn v6(it: &mut Assembler, level: &Level, carried: Label) {
    const OCTETS: u32 = 40;
    it.set(level.v6);
    it.put(code::LOAD_WORD_AT_X, 8);
    it.put(code::STORE, ADDRESSES);
    for word in 1..8 {
        it.put(code::LOAD_WORD_AT_X, 8 + 4 * word);
        fold(it, ADDRESSES);
    }
    it.put(code::LOAD_OCTET_AT_X, 6);
    step(it, OCTETS);
    for _ in 0..EXTENSIONS {
        let extension = it.label();
        let [routing, _, options] = EXTENSION_HEADERS;
        it.jump_if_one_of(&[HOP_BY_HOP, routing, options], extension);
        it.jump(carried);
        it.set(extension);
        it.put(code::LOAD_OCTET_AT_X, 0);
        it.put(code::STORE, ASIDE);
        it.put(code::LOAD_OCTET_AT_X, 1);
        it.put(code::ADD, 1);
        it.put(code::SHIFT_LEFT, 3);
        it.put(code::ADD_X, 0);
        it.put(code::COPY_TO_X, 0);
        it.put(code::LOAD_MEMORY, ASIDE);
    }
}

/// The end: addresses and the ports at X.
fn ports(it: &mut Assembler) {
    it.put(code::LOAD_SHORT_AT_X, 0);
    it.put(code::STORE, ASIDE);
    it.put(code::LOAD_SHORT_AT_X, 2);
    fold(it, ASIDE);
    it.put(code::MULTIPLY, 0x9e37_79b1); // 2^32 over the golden ratio: neighbouring ports end up far apart
    fold(it, ADDRESSES);
    mix(it);
}

/// VXLAN (RFC 7348 5, draft-ietf-nvo3-vxlan-gpe 3) and GENEVE (RFC 8926 3.4) by the port that is sent to.
fn tunnel_in_udp(it: &mut Assembler, inner: &Level, ends: Ends) {
    const UDP_OCTETS: u32 = 8;
    const VXLAN_OCTETS: u32 = 8;
    let (vxlan, gpe, geneve) = (it.label(), it.label(), it.label());
    it.put(code::LOAD_SHORT_AT_X, 2);
    step(it, UDP_OCTETS);
    it.jump_if(code::IF_EQUAL, GENEVE, geneve);
    it.jump_if(code::IF_EQUAL, VXLAN_GPE, gpe);
    it.jump_if_one_of(&TUNNEL_PORTS, vxlan);
    it.jump(ends.addresses);
    it.set(gpe);
    it.put(code::LOAD_OCTET_AT_X, 0);
    it.jump_unless(code::IF_ANY_BIT, 4, vxlan); // it says what is inside
    it.put(code::LOAD_OCTET_AT_X, 3);
    step(it, VXLAN_OCTETS);
    it.jump_if(code::IF_EQUAL, 1, inner.v4);
    it.jump_if(code::IF_EQUAL, 2, inner.v6);
    it.jump_if(code::IF_EQUAL, 3, inner.ethernet);
    it.jump(ends.addresses);
    it.set(vxlan);
    step(it, VXLAN_OCTETS);
    it.jump(inner.ethernet);
    it.set(geneve);
    it.put(code::LOAD_SHORT_AT_X, 2);
    it.put(code::STORE, ASIDE);
    it.put(code::LOAD_OCTET_AT_X, 0);
    it.put(code::AND, 0x3f); // words of options
    it.put(code::SHIFT_LEFT, 2);
    it.put(code::ADD, 8);
    it.put(code::ADD_X, 0);
    it.put(code::COPY_TO_X, 0);
    it.put(code::LOAD_MEMORY, ASIDE);
    it.jump_if(code::IF_EQUAL, ETHERNET, inner.ethernet);
    it.jump(inner.network);
}

/// GRE (RFC 2784 2, RFC 2890 2) and the mirrors in it, ERSPAN I, II and III (draft-foschiano-erspan 4).
fn tunnel_in_gre(it: &mut Assembler, inner: &Level, ends: Ends) {
    const SEQUENCE: u32 = 0x1000;
    it.put(code::LOAD_SHORT_AT_X, 0);
    it.jump_if(code::IF_ANY_BIT, 0x4007, ends.addresses); // a source route, or another version
    it.put(code::STORE, ASIDE);
    it.put(code::LOAD_SHORT_AT_X, 2);
    it.put(code::STORE, ASIDE + 1);
    step(it, 4);
    // Checksum, key, sequence number: a word each.
    for flag in [0x8000, 0x2000, SEQUENCE] {
        skip_if(it, ASIDE, flag, 4);
    }
    it.put(code::LOAD_MEMORY, ASIDE + 1);
    let (mirror, mirror_iii) = (it.label(), it.label());
    it.jump_if(code::IF_EQUAL, ERSPAN_I_OR_II, mirror);
    it.jump_if(code::IF_EQUAL, ERSPAN_III, mirror_iii);
    it.jump_if(code::IF_EQUAL, ETHERNET, inner.ethernet);
    it.jump(inner.network);
    it.set(mirror);
    // Type I has neither a sequence number nor a header.
    skip_if(it, ASIDE, SEQUENCE, 8);
    it.jump(inner.ethernet);
    it.set(mirror_iii);
    it.put(code::LOAD_OCTET_AT_X, 11);
    it.put(code::STORE, ASIDE);
    step(it, 12);
    skip_if(it, ASIDE, 1, 8); // the platform's own subheader
    it.jump(inner.ethernet);
}

/// X goes on by *octets*; the accumulator stays.
fn step(it: &mut Assembler, octets: u32) {
    const KEPT: u32 = 15;
    it.put(code::STORE, KEPT);
    it.put(code::COPY_FROM_X, 0);
    it.put(code::ADD, octets);
    it.put(code::COPY_TO_X, 0);
    it.put(code::LOAD_MEMORY, KEPT);
}

/// X goes on by *octets* if memory at *place* has any of those *bits*.
fn skip_if(it: &mut Assembler, place: u32, bits: u32, octets: u32) {
    let (skip, behind) = (it.label(), it.label());
    it.put(code::LOAD_MEMORY, place);
    it.jump_if(code::IF_ANY_BIT, bits, skip);
    it.jump(behind);
    it.set(skip);
    step(it, octets);
    it.set(behind);
}

/// The accumulator becomes it or memory at *place*, but not both (the order of two does not matter), there too. X stays.
fn fold(it: &mut Assembler, place: u32) {
    const KEPT: u32 = 14;
    const OTHER: u32 = 13;
    it.put(code::STORE, OTHER);
    it.put(code::COPY_FROM_X, 0);
    it.put(code::STORE, KEPT);
    it.put(code::X_FROM_MEMORY, place);
    it.put(code::LOAD_MEMORY, OTHER);
    it.put(code::XOR_X, 0);
    it.put(code::STORE, place);
    it.put(code::X_FROM_MEMORY, KEPT);
}

/// The end: every bit of the accumulator has its part in those that a small number of rings looks at.
fn mix(it: &mut Assembler) {
    it.put(code::MULTIPLY, 0x85eb_ca6b); // of MurmurHash3's last steps
    it.put(code::SHIFT_RIGHT, 16);
    it.put(code::RETURN_ACCUMULATOR, 0);
}

#[cfg(test)]
mod tests;
