//! A frame as a tap delivers it, and the packet time everything runs on.

/// Packet time: nanoseconds since 1970-01-01T00:00:00Z. The only clock of the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time *ns* nanoseconds later, at most the last one that can be told.
    #[must_use]
    pub const fn plus_ns(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Nanoseconds from *earlier* to here; negative where packet time stepped back.
    #[must_use]
    pub const fn since_ns(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Link type of a frame, by its LINKTYPE number (tcpdump.org link-layer header types). Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: address family in the byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, the number that some BSDs write (DLT_RAW of BSD/OS).
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, the number that OpenBSD writes.
    pub const RAW_OPENBSD: Self = Self(14);
    /// Raw IP: the version nibble tells which.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One frame of a capture: its packet time, its link type, and the octets that were captured of it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When the tap saw it.
    pub at: Timestamp,
    /// How its first octets are to be read.
    pub link_type: LinkType,
    /// The captured octets, possibly cut by the snap length.
    pub bytes: &'a [u8],
    /// Octets the frame had on the wire; `>= bytes.len()` in an honest capture, anything in a hostile one.
    pub original_octets: u32,
}
