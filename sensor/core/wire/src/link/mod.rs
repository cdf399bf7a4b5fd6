//! Link layers and tunnels: one file per encapsulation, one table that says by key what comes next.
//!
//! A header is read by its `decode`: octets in, out comes what the octets behind it are, and those octets. Nothing here
//! calls the next decoder; the loop in [`crate::decoder`] does, so that depth is bounded in one place. A decoder never
//! trims the far end: how long a packet is, the IP header inside says, and padding falls off there.

mod erspan;
mod ethernet;
mod geneve;
mod gre;
mod linux_sll;
mod llc;
mod loopback;
mod mpls;
pub(crate) mod octets;
mod pppoe;
mod raw_ip;
mod udp;
mod vlan;
mod vxlan;

pub(crate) use octets::{u16_at, u32_at};

use crate::anomaly::Anomaly;

/// What the next octets are and where they start, or what was wrong with the header.
pub type Decoded<'a> = Result<(Next, &'a [u8]), Anomaly>;

/// What the octets after a header are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A link or tunnel header of this module.
    Encapsulation(Encapsulation),
    /// An IPv4 packet.
    Ipv4,
    /// An IPv6 packet.
    Ipv6,
    /// An IPv6 hop-by-hop, routing or destination options header.
    Ipv6Extension,
    /// An IPv6 fragment header.
    Ipv6Fragment,
    /// An IP authentication header.
    Authentication,
    /// A TCP segment: the end of the road.
    Tcp,
    /// Something that carries no TCP we could read.
    Other,
}

/// Declares the encapsulations once: the name, and the function that reads its header.
macro_rules! encapsulations {
    ($($(#[doc = $doc:literal])+ $name:ident => $decode:path,)+) => {
        /// A header that this module reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Encapsulation { $($(#[doc = $doc])+ $name,)+ }

        impl Encapsulation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Reads its header at the start of *bytes*.
            ///
            /// A header that is cut short gives [`Anomaly::LinkTruncated`], one that contradicts itself
            /// [`Anomaly::LinkMalformed`].
            #[inline]
            pub fn decode(self, bytes: &[u8]) -> Decoded<'_> {
                match self { $(Self::$name => $decode(bytes),)+ }
            }
        }
    };
}

encapsulations! {
    /// Ethernet II, or IEEE 802.3 with a length.
    Ethernet => ethernet::decode,
    /// An 802.1Q or 802.1ad tag.
    Vlan => vlan::decode,
    /// IEEE 802.2 LLC, with or without SNAP.
    Llc => llc::decode,
    /// Linux "cooked" capture, version 1.
    LinuxSll => linux_sll::decode_v1,
    /// Linux "cooked" capture, version 2.
    LinuxSll2 => linux_sll::decode_v2,
    /// BSD loopback, address family in the byte order of the capturing machine.
    Null => loopback::decode_null,
    /// OpenBSD loopback, address family in network byte order.
    Loop => loopback::decode_loop,
    /// An IP packet whose version nibble tells which.
    RawIp => raw_ip::decode,
    /// A stack of MPLS labels.
    Mpls => mpls::decode,
    /// A PPPoE session header and the PPP protocol number behind it.
    PppoeSession => pppoe::decode,
    /// GRE, version 0.
    Gre => gre::decode,
    /// An ERSPAN header, type II or III.
    Erspan => erspan::decode,
    /// UDP, as far as it carries a tunnel.
    Udp => udp::decode,
    /// VXLAN.
    Vxlan => vxlan::decode,
    /// VXLAN with the generic protocol extension.
    VxlanGpe => vxlan::decode_gpe,
    /// GENEVE.
    Geneve => geneve::decode,
}

/// One row of the table: in this key space this key leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key space: the name of the function that looks it up.
    pub space: &'static str,
    /// The key.
    pub key: u32,
    /// What it leads to.
    pub next: Next,
}

/// Declares the table once: a look-up function for each key space, and all rows in one list.
macro_rules! table {
    ($($(#[doc = $doc:literal])+ $space:ident($type:ty) { $($key:literal => $next:expr,)+ })+) => {
        $($(#[doc = $doc])+
        #[inline]
        #[must_use]
        pub const fn $space(key: $type) -> Next {
            match key { $($key => $next,)+ _ => Next::Other }
        })+

        /// Every row of the table.
        pub const ROWS: &[Row] = &[$($(Row { space: stringify!($space), key: $key, next: $next },)+)+];
    };
}

use Encapsulation as E;
use Next::Encapsulation as In;

table! {
    /// What a frame of this link type starts with (tcpdump.org, link-layer header types).
    link_type(u32) {
        0 => In(E::Null),
        1 => In(E::Ethernet),
        12 => In(E::RawIp),
        14 => In(E::RawIp),
        101 => In(E::RawIp),
        108 => In(E::Loop),
        113 => In(E::LinuxSll),
        228 => Next::Ipv4,
        229 => Next::Ipv6,
        276 => In(E::LinuxSll2),
    }

    /// What follows this ethertype (IANA "IEEE 802 Numbers"; 0x9100 and 0x9200 are QinQ before 802.1ad).
    ethertype(u16) {
        0x0800 => Next::Ipv4,
        0x86dd => Next::Ipv6,
        0x8100 => In(E::Vlan),
        0x88a8 => In(E::Vlan),
        0x9100 => In(E::Vlan),
        0x9200 => In(E::Vlan),
        0x8847 => In(E::Mpls),
        0x8848 => In(E::Mpls),
        0x8864 => In(E::PppoeSession),
        0x6558 => In(E::Ethernet),
    }

    /// What follows this IP protocol number, in IPv4 and IPv6 alike (IANA "Protocol Numbers").
    ip_protocol(u8) {
        6 => Next::Tcp,
        4 => Next::Ipv4,
        17 => In(E::Udp),
        41 => Next::Ipv6,
        47 => In(E::Gre),
        51 => Next::Authentication,
        137 => In(E::Mpls),
        143 => In(E::Ethernet),
    }

    /// What follows this IPv6 next header value, beside those of [`ip_protocol`] (RFC 8200 4).
    ipv6_next_header(u8) {
        0 => Next::Ipv6Extension,
        43 => Next::Ipv6Extension,
        44 => Next::Ipv6Fragment,
        60 => Next::Ipv6Extension,
    }

    /// The tunnel that listens on this UDP port (8472: VXLAN of Linux before the port was assigned).
    udp_port(u16) {
        4789 => In(E::Vxlan),
        8472 => In(E::Vxlan),
        4790 => In(E::VxlanGpe),
        6081 => In(E::Geneve),
    }

    /// What follows this GRE protocol type, beside those of [`ethertype`] (RFC 2784 2.4).
    gre_protocol(u16) {
        0x88be => In(E::Erspan),
        0x22eb => In(E::Erspan),
    }

    /// What follows this PPP protocol number (RFC 1332 2, RFC 5072 2).
    ppp_protocol(u16) {
        0x0021 => Next::Ipv4,
        0x0057 => Next::Ipv6,
    }

    /// What follows this "next protocol" of VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe 3.1).
    vxlan_gpe_protocol(u8) {
        1 => Next::Ipv4,
        2 => Next::Ipv6,
        3 => In(E::Ethernet),
        5 => In(E::Mpls),
    }

    /// What follows this address family in a loopback header: AF_INET, and AF_INET6 of Linux, NetBSD and OpenBSD,
    /// FreeBSD, Darwin.
    address_family(u32) {
        2 => Next::Ipv4,
        10 => Next::Ipv6,
        24 => Next::Ipv6,
        28 => Next::Ipv6,
        30 => Next::Ipv6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(row: &Row) -> Next {
        let (octet, short) = (row.key as u8, row.key as u16);
        match row.space {
            "link_type" => link_type(row.key),
            "ethertype" => ethertype(short),
            "ip_protocol" => ip_protocol(octet),
            "ipv6_next_header" => ipv6_next_header(octet),
            "udp_port" => udp_port(short),
            "gre_protocol" => gre_protocol(short),
            "ppp_protocol" => ppp_protocol(short),
            "vxlan_gpe_protocol" => vxlan_gpe_protocol(octet),
            "address_family" => address_family(row.key),
            other => panic!("key space {other} is not looked up by this test"),
        }
    }

    #[test]
    fn every_row_is_found_by_its_key() {
        for row in ROWS {
            assert_eq!(look_up(row), row.next, "{row:?}");
        }
    }

    #[test]
    fn every_encapsulation_is_reached_by_a_key() {
        // LLC has no key: it is what a length in place of an ethertype announces.
        for each in Encapsulation::ALL.iter().filter(|each| **each != E::Llc) {
            assert!(
                ROWS.iter().any(|row| row.next == In(*each)),
                "{each:?} stands in no row"
            );
        }
    }

    #[test]
    fn every_link_type_with_a_name_is_in_the_table() {
        use crate::frame::LinkType as L;
        for named in [
            L::NULL,
            L::ETHERNET,
            L::RAW_BSD,
            L::RAW_OPENBSD,
            L::RAW,
            L::LOOP,
            L::LINUX_SLL,
            L::IPV4,
            L::IPV6,
            L::LINUX_SLL2,
        ] {
            assert_ne!(link_type(named.0), Next::Other, "{named:?}");
        }
    }

    #[test]
    fn an_empty_header_is_truncated_and_never_a_panic() {
        for each in Encapsulation::ALL {
            assert_eq!(each.decode(&[]), Err(Anomaly::LinkTruncated), "{each:?}");
        }
    }
}
