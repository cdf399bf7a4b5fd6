//! Every bound of the core, with its reason. What is reached is counted and named in the record.

/// Declares the limits once, so that Python can list and override them by name.
macro_rules! limits {
    ($($(#[doc = $reason:literal])+ $name:ident: $default:expr,)+) => {
        /// The bounds in force.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits { $($(#[doc = $reason])+ pub $name: usize,)+ }

        impl Default for Limits {
            fn default() -> Self { Self { $($name: $default,)+ } }
        }

        impl Limits {
            /// Each limit as (name, reason, value).
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, &'static str, usize)> {
                vec![$((stringify!($name), concat!($($reason),+), self.$name),)+]
            }

            /// Sets the limit *name*; false if there is none of that name.
            pub fn set(&mut self, name: &str, value: usize) -> bool {
                match name { $(stringify!($name) => { self.$name = value; true })+ _ => false }
            }
        }
    };
}

limits! {
    // ---- link and ip
    /// Headers before the TCP header: link, tags, tunnels, IP. An ERSPAN mirror of a VXLAN overlay in a provider's MPLS core
    /// has seventeen; more than this is an attack on the decoder.
    encapsulations: 24,
    /// IPv6 extension headers in one packet. RFC 8200 4.1 names seven in its recommended order.
    ipv6_extension_headers: 16,
    /// Datagrams under reassembly at once. Mail is rarely fragmented; a flood of first fragments must not grow memory.
    fragment_datagrams: 1_024,
    /// Fragments of one datagram: 64 KiB in pieces of the IPv6 minimum MTU is 52; small pieces are an attack.
    fragments_per_datagram: 256,
    /// Octets held for fragments in all.
    fragment_octets: 16 << 20,
    /// Milliseconds of packet time a datagram may wait for its fragments (RFC 791 suggests 15 s, Linux waits 30 s).
    fragment_timeout_ms: 30_000,
    // ---- tcp
    /// Flows followed at once. A flow between mails costs under 1 KiB, so this bounds the table to half a GiB.
    flows: 524_288,
    /// Flows that have shown no payload yet. A flood of SYNs fills this table, not the one above.
    embryonic_flows: 65_536,
    /// Octets held out of order for one direction of a flow. Two windows of 1 MiB, the largest common receive window.
    out_of_order_octets_per_flow: 2 << 20,
    /// Segments held out of order for one direction of a flow: the bound against one-octet segments.
    out_of_order_segments_per_flow: 2_048,
    /// Octets held out of order in all flows.
    out_of_order_octets: 256 << 20,
    /// Octets held for both directions of a flow while acknowledged octets are missing. The receiver has them, so only the
    /// span's own reordering can still bring them, and that spans milliseconds: at 1 Gbit/s this is 2 ms.
    causal_hold_octets_per_flow: 256 << 10,
    /// Milliseconds of packet time that acknowledged but unseen octets may still come late before they count as a gap.
    gap_grace_ms: 1_000,
    /// Milliseconds of packet time after which a silent flow is closed. RFC 5321 4.5.3.2 lets an endpoint wait ten minutes.
    flow_idle_timeout_ms: 660_000,
    /// Milliseconds of packet time after which a flow that never showed payload is forgotten.
    embryonic_timeout_ms: 60_000,
    /// Flows remembered only to be left alone: closed ones and those that are not mail. Under 100 octets each.
    settled_flows: 262_144,
    /// Milliseconds of packet time such a flow is remembered after its last segment. Linux spaces retransmissions by at
    /// most 120 s (TCP_RTO_MAX), and keeps TIME_WAIT for 60 s: what comes later is a new use of the ports.
    settled_timeout_ms: 120_000,
    // ---- smtp
    /// Octets of one command or reply line. RFC 5321 4.5.3.1.4 says 512; extensions raise it and real AUTH lines reach 12,288.
    line_octets: 16_384,
    /// Octets looked at, on each side, before a flow on an unknown port is given up as not mail.
    probe_octets: 4_096,
    /// Unanswered commands of one session. Postfix pipelines its whole recipient list, by default 50 at a time.
    pending_commands: 10_000,
    /// Octets of a client held while the reply is awaited that tells how to read them. Clients that do not wait send a few KiB.
    held_octets: 65_536,
    /// Recipients kept with their verdict; RFC 5321 4.5.3.1.8 asks servers for at least 100.
    recipients: 10_000,
    /// Lines kept of one multi-line reply (EHLO lists are under 30).
    reply_lines: 100,
    /// Octets kept of a reply's text in a record.
    reply_text_octets: 512,
    /// Octets that all sessions hold together: envelopes, header sections, lines and what waits for a reply. A busy server's
    /// thousand sessions hold a few MiB; half a million that each stop inside a large header section would hold 128 GiB. At the bound a
    /// session that asks for more sheds what it holds over its even share (this divided by `flows`), content first.
    session_octets: 1 << 30,
    // ---- mail in line
    /// Sessions and mails of an inline tap at once. A relay or milter caps its own far below; idle ones take under
    /// 64 MiB together.
    inline_sessions: 65_536,
    /// Events of an inline tap that wait to be taken, some kilobytes each: seconds of mail, where they are taken many times a second.
    inline_events: 16_384,
    // ---- header section
    /// Octets of one header section. Exchange allows 64 KiB, Postfix 100 KiB (header_size_limit); real chains reach 200 KiB.
    header_octets: 262_144,
    /// Octets of one header field: Postfix's header_size_limit.
    header_field_octets: 102_400,
    /// Fields of one header section.
    header_fields: 2_000,
    /// Addresses kept of one field.
    header_addresses: 2_000,
    /// Message identifiers kept of References.
    header_references: 200,
    /// Received lines parsed; RFC 5321 6.3 asks for loops to be cut at 100 or above.
    received_lines: 200,
    /// Header fields kept raw for the artifact table.
    kept_fields: 200,
    /// Octets kept of such a field.
    kept_field_octets: 4_096,
    // ---- mime
    /// Parts nested inside each other that are looked into.
    mime_depth: 12,
    /// Parts of one mail that are looked at.
    mime_parts: 1_000,
    /// Attachments listed.
    attachments: 200,
    /// Octets of a boundary parameter. RFC 2046 5.1.1 allows 70, some software passes it; a longer one is taken for none.
    mime_boundary_octets: 256,
    /// Parameters read of one Content-Type or Content-Disposition: a long file name in RFC 2231 pieces takes a dozen.
    mime_parameters: 100,
    /// Octets of `type/subtype`: RFC 6838 4.2 allows 127 for each half.
    media_type_octets: 255,
    /// Octets kept of an attachment's name: 255 characters, the most that file systems allow, of up to 4 octets in UTF-8.
    attachment_name_octets: 1_020,
    /// Octets of a part's header kept for parsing.
    mime_part_header_octets: 16_384,
    /// Decoded octets of the first text part that are searched for forward markers.
    body_search_octets: 16_384,
    /// Addresses taken from a report that a mail was refused; it names the sender, the recipient and a postmaster or two.
    reported_addresses: 16,
}
