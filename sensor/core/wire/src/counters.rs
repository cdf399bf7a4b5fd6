//! Every count the core keeps, each with its one-line meaning. Counts only grow.

/// Declares the counters once: the struct, the names and the list that the Python side exports.
macro_rules! counters {
    ($($(#[doc = $meaning:literal])+ $name:ident,)+) => {
        /// What the core counted so far.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[doc = $meaning])+ pub $name: u64,)+ }

        impl Counters {
            /// Each counter as (name, meaning, value), in the order of their declaration.
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($meaning),+), self.$name),)+]
            }

            /// Adds every count of *other*.
            pub fn add(&mut self, other: &Self) { $(self.$name = self.$name.saturating_add(other.$name);)+ }
        }
    };
}

counters! {
    // ---- frames and link layer
    /// Frames read from the tap.
    frames,
    /// Octets captured in those frames.
    frame_octets,
    /// Frames cut short by the snap length.
    frames_snapped,
    /// Frames whose link type is not supported.
    frames_unsupported_link,
    /// Frames that carry something other than IP (ARP, STP, LLDP, unknown ethertypes).
    frames_not_ip,
    /// Frames nested deeper than the limit on encapsulations.
    frames_nested_too_deep,
    /// Frames whose headers are malformed or cut, so that no segment could be drawn.
    frames_malformed,
    /// Frames whose segment waits, or was given up, among the fragments of a datagram that this frame did not complete.
    frames_held,
    // ---- ip
    /// IP packets that carry something other than TCP.
    packets_not_tcp,
    /// IP fragments seen.
    fragments,
    /// Datagrams put together again from fragments.
    datagrams_reassembled,
    /// Fragments given up: their datagram timed out, was inconsistent, or a bound was reached.
    fragments_dropped,
    // ---- tcp
    /// TCP segments decoded.
    segments,
    /// Octets of TCP payload in those segments.
    segment_octets,
    /// Flows opened in the flow table.
    flows,
    /// Flows dropped before their end because the flow table was full.
    flows_evicted,
    /// Flows without payload that were forgotten because their table was full.
    flows_embryonic_evicted,
    /// Closed flows and flows without mail that were forgotten because their table was full.
    flows_settled_evicted,
    /// Flows that ended by idle timeout.
    flows_timed_out,
    /// Flows that were looked at and do not carry mail.
    flows_not_mail,
    /// Octets that came when their place was taken: delivered before, held with equal octets, or given up as a gap.
    octets_retransmitted,
    /// Retransmitted octets that differ from the first copy.
    octets_conflicting,
    /// Segments that arrived ahead of their turn and were buffered.
    segments_out_of_order,
    /// Segments ignored because their numbers lie far outside any window of their flow.
    segments_implausible,
    /// Octets given up as a gap because an out-of-order bound was reached.
    octets_dropped_out_of_order,
    /// Gaps: places where octets of a stream were never seen.
    gaps,
    /// Octets in those gaps.
    gap_octets,
    // ---- smtp
    /// Sessions recognised as SMTP, ESMTP or LMTP.
    sessions,
    /// Sessions that turned to TLS (STARTTLS, X-ANONYMOUSTLS or TLS from the start).
    sessions_tls,
    /// Transactions recorded.
    transactions,
    /// Octets of mail content in those transactions.
    content_octets,
    /// Commands beyond the bound on unanswered commands.
    commands_dropped,
    /// Recipients beyond the bound of a transaction.
    recipients_dropped,
    /// Octets of command or reply lines cut at the line limit.
    line_octets_dropped,
    /// Octets that sessions shed because the bound on all of them was reached.
    session_octets_shed,
    // ---- mail in line
    /// Sessions and mails of an inline tap that were not followed because a bound on all of them was reached.
    inline_refused,
    /// Events of an inline tap that were lost because too many waited to be taken.
    inline_events_dropped,
    // ---- header section and body
    /// Octets of header sections beyond the bound, skipped.
    header_octets_dropped,
    /// MIME parts nested or numbered beyond the bound, not looked into.
    mime_parts_dropped,
}
