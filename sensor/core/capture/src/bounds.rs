//! Every bound of this crate, with its reason. They are fixed: memory for one reader and its batches follows from them.

/// Declares the bounds once: a constant each, and the list that is shown to users.
macro_rules! bounds {
    ($($(#[doc = $reason:literal])+ $name:ident = $value:expr;)+) => {
        $($(#[doc = $reason])+ pub const $name: usize = $value;)+

        /// Each bound as (name, reason, value).
        pub const ALL: &[(&str, &str, usize)] = &[$((stringify!($name), concat!($($reason),+), $name),)+];
    };
}

bounds! {
    /// Octets read at once: half of a common second-level cache, so that a frame is still there when it is decoded.
    CHUNK_OCTETS = 256 << 10;
    /// Octets of one captured packet: libpcap's MAXIMUM_SNAPLEN. A record that claims more is corrupt.
    PACKET_OCTETS = 262_144;
    /// Octets of one pcapng block that is looked into: the largest packet, and room for its options.
    BLOCK_OCTETS = 1 << 20;
    /// Octets of one pcapng block that is passed over unread, such as names or secrets. More is taken for corruption.
    SKIPPED_BLOCK_OCTETS = 16 << 20;
    /// Octets searched for the next record after a corrupt one. Beyond it, the rest of the file is something else.
    SEARCH_OCTETS = 64 << 20;
    /// Interfaces of one pcapng section. The largest routers have some thousands of ports.
    INTERFACES = 65_536;
    /// Damages listed for one file; further ones are counted.
    DAMAGES = 100;
    /// Octets of the window that a zstd frame may ask for: what `zstd -d` accepts when not told otherwise.
    ZSTD_WINDOW_OCTETS = 128 << 20;
    /// Octets looked at to say what a file is that is not a capture.
    SNIFF_OCTETS = 512;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_listed_with_a_reason() {
        assert_eq!(ALL.len(), 9);
        assert!(ALL
            .iter()
            .all(|(name, reason, value)| !name.is_empty() && reason.len() > 20 && *value > 0));
    }

    #[test]
    fn what_a_search_must_see_at_once_fits_a_held_block() {
        let chain = crate::pcap::CHAIN * (PACKET_OCTETS + crate::pcap::MODIFIED_HEADER_OCTETS);
        assert!(chain < BLOCK_OCTETS);
    }
}
