//! IPv4 and IPv6 packets, their fragments, and tunnels of IP in IP.

pub mod authentication;
pub mod defrag;
pub mod extension;
mod pieces;
pub mod v4;
pub mod v6;

use std::net::IpAddr;

use crate::link::Next;

/// An IP packet: who sent it to whom, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Source and destination.
    pub addresses: (IpAddr, IpAddr),
    /// The protocol number, or next header, as it stands in the header.
    pub protocol: u8,
    /// What the payload is.
    pub next: Next,
    /// The captured payload, without padding of the link layer.
    pub payload: &'a [u8],
    /// Octets of payload that the header promises behind the captured ones.
    pub snapped: usize,
    /// Where the payload belongs, if it is not all of its datagram.
    pub place: Option<Place>,
}

/// The place of a fragment in its datagram (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which datagram between its two addresses.
    pub identification: u32,
    /// Octets before this fragment.
    pub offset: usize,
    /// True if others follow.
    pub more: bool,
}

/// Cuts *bytes* to the *promised* octets of a length field: what was captured of them, and how many were not.
///
/// Zero stands for "as long as the frame": that is what a host captures of its own large sends before the interface
/// cuts them into packets. *snapped* is how far the frame went on behind *bytes*.
#[inline]
fn cut_to_length(bytes: &[u8], promised: usize, snapped: usize) -> (&[u8], usize) {
    match promised {
        0 => (bytes, snapped),
        _ if promised <= bytes.len() => (&bytes[..promised], 0),
        _ => (bytes, promised - bytes.len()),
    }
}
