//! Every anomaly the core can report: what was odd on the wire, as a value with a stable slug.
//!
//! An endpoint may refuse; a sensor writes down what it saw. An anomaly never stops the reading. The list is the one
//! place where they are declared; `docs/anomalies.md` is checked against it by a test.

/// Declares the anomalies once: variant, slug, meaning with its source.
macro_rules! anomalies {
    ($($variant:ident = $slug:literal : $meaning:literal,)+) => {
        /// Something odd on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Anomaly { $(#[doc = $meaning] $variant,)+ }

        impl Anomaly {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name that records and counters carry.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// What it means and where the rule stands.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

anomalies! {
    // ---- link and tunnels
    LinkTruncated = "link_truncated": "A link or tunnel header is cut short.",
    LinkUnsupported = "link_unsupported": "The link type of the capture is not supported.",
    LinkNestedTooDeep = "link_nested_too_deep": "More encapsulations inside each other than the limit allows.",
    LinkMalformed = "link_malformed": "A link or tunnel header contradicts itself (length, version or flags).",
    // ---- ip
    IpTruncated = "ip_truncated": "An IP header or extension header is cut short.",
    IpMalformed = "ip_malformed": "An IP header contradicts itself (version, header length, total length; RFC 791 3.1, RFC 8200 3).",
    IpFragmentOverlap = "ip_fragment_overlap": "Fragments of one datagram overlap with different octets (RFC 5722 forbids it for IPv6).",
    IpFragmentLimit = "ip_fragment_limit": "A bound on fragments was reached; a datagram was given up.",
    IpFragmentTimeout = "ip_fragment_timeout": "A datagram's fragments did not all come within the reassembly time (RFC 791 3.2, RFC 8200 4.5).",
    IpLongerThanFrame = "ip_longer_than_frame": "An IP packet promises more octets than what carries it had on the wire: a mirror that cuts frames, or a forged length.",
    // ---- tcp
    TcpTruncated = "tcp_truncated": "A TCP header is cut short.",
    TcpMalformed = "tcp_malformed": "A TCP header contradicts itself (data offset; RFC 9293 3.1).",
    TcpConflictingOverlap = "tcp_conflicting_overlap": "Retransmitted octets differ from the first copy; the first copy was used.",
    TcpGap = "tcp_gap": "Octets of the stream were never seen.",
    TcpSnapped = "tcp_snapped": "Octets of a segment were cut off by the snap length of the capture.",
    TcpOutOfOrderLimit = "tcp_out_of_order_limit": "A bound on out-of-order octets was reached; a gap was assumed.",
    TcpFlowEvicted = "tcp_flow_evicted": "The flow table was full and this flow was dropped before its end.",
    TcpDataAfterFin = "tcp_data_after_fin": "Octets beyond the end of the stream that a FIN announced.",
    // ---- smtp
    SmtpReplyWithoutCommand = "smtp_reply_without_command": "A reply that answers no command we saw (RFC 5321 4.2).",
    SmtpCommandOutOfOrder = "smtp_command_out_of_order": "A command that its state does not allow was accepted all the same (RFC 5321 4.1.4).",
    SmtpUnknownCommand = "smtp_unknown_command": "A verb that no known extension names.",
    SmtpMalformedCommand = "smtp_malformed_command": "A known verb with arguments that do not parse (RFC 5321 4.1.2).",
    SmtpMalformedReply = "smtp_malformed_reply": "A reply line without a three digit code (RFC 5321 4.2).",
    SmtpMultilineCodeMismatch = "smtp_multiline_code_mismatch": "The lines of one reply carry different codes (RFC 5321 4.2.1).",
    SmtpLineTooLong = "smtp_line_too_long": "A command or reply line beyond the limit; its rest was skipped (RFC 5321 4.5.3.1).",
    SmtpBareLfInCommand = "smtp_bare_lf_in_command": "A command line that ends in LF without CR (RFC 5321 2.3.8).",
    SmtpBareLf = "smtp_bare_lf": "LF without CR in mail content (RFC 5321 2.3.8).",
    SmtpBareCr = "smtp_bare_cr": "CR without LF in mail content (RFC 5321 2.3.8).",
    SmtpSmuggledEndOfData = "smtp_smuggled_end_of_data": "A lone dot between line ends of which one is not CRLF: some servers take it for the end of data.",
    SmtpCommandAfterSmuggledEnd = "smtp_command_after_smuggled_end": "What follows a false end of data reads as SMTP commands: smuggling.",
    SmtpPipelinedBeforeReply = "smtp_pipelined_before_reply": "Commands sent ahead of a reply that must be awaited (RFC 2920 3.1).",
    SmtpPipelinedUnannounced = "smtp_pipelined_unannounced": "Commands were pipelined though the server did not announce PIPELINING (RFC 2920 3).",
    SmtpDataBeforeStarttls = "smtp_data_before_starttls": "Clear text octets followed STARTTLS before its reply: injection (RFC 3207 4.2).",
    SmtpTooManyRecipients = "smtp_too_many_recipients": "More recipients than are kept; the rest were only counted.",
    SmtpTooManyPending = "smtp_too_many_pending": "More unanswered commands than are kept.",
    SmtpBdatMalformed = "smtp_bdat_malformed": "BDAT with a size that does not parse, or mixed with DATA in one transaction (RFC 3030 2).",
    SmtpReplyBeforeEndOfData = "smtp_reply_before_end_of_data": "The server replied before the content was complete.",
    SmtpEnvelopeUnseen = "smtp_envelope_unseen": "The commands of the envelope were lost or precede the capture.",
    SmtpNulInContent = "smtp_nul_in_content": "NUL octets in mail content or commands (RFC 5321 4.5.2).",
    SmtpAuthMalformed = "smtp_auth_malformed": "A SASL exchange that does not decode; no user name was drawn.",
    SmtpXclientMalformed = "smtp_xclient_malformed": "XCLIENT, XFORWARD or PROXY attributes that do not parse.",
    SmtpSessionDesynchronised = "smtp_session_desynchronised": "Commands and replies could no longer be paired with certainty.",
    SmtpSessionShed = "smtp_session_shed": "All sessions together held as much as they may, so what this one held of the mail was given up.",
    // ---- header section
    HeaderTooLarge = "header_too_large": "The header section is larger than the limit; the rest was skipped.",
    HeaderFieldTooLong = "header_field_too_long": "One header field is larger than the limit; its rest was skipped.",
    HeaderTooManyFields = "header_too_many_fields": "More header fields than the limit; the rest were skipped.",
    HeaderMalformedLine = "header_malformed_line": "A line of the header section is neither a field nor a continuation (RFC 5322 2.2).",
    HeaderObsoleteSyntax = "header_obsolete_syntax": "Obsolete syntax, read as RFC 5322 4 says.",
    HeaderDuplicateField = "header_duplicate_field": "A field that may occur once occurs more often (RFC 5322 3.6); the first counts.",
    HeaderMalformedAddress = "header_malformed_address": "An address list with parts that do not parse (RFC 5322 3.4).",
    HeaderMalformedDate = "header_malformed_date": "A date that does not parse, lacks its zone, or has something behind it (RFC 5322 3.3).",
    HeaderMalformedEncodedWord = "header_malformed_encoded_word": "An encoded-word that is broken or split inside a character (RFC 2047).",
    HeaderUnknownCharset = "header_unknown_charset": "An encoded-word or parameter in a charset that is not known.",
    HeaderNotUtf8 = "header_not_utf8": "Octets above 127 that are not UTF-8 (RFC 6532 3.1).",
    HeaderBareCr = "header_bare_cr": "A CR without LF inside the header section.",
    HeaderEndMissing = "header_end_missing": "The content ended inside the header section.",
    HeaderTooManyAddresses = "header_too_many_addresses": "More addresses in one field than are kept.",
    HeaderMalformedIdentifier = "header_malformed_identifier": "A message or list identifier without its angle brackets, or an empty one (RFC 5322 3.6.4, RFC 2919).",
    HeaderTooManyReferences = "header_too_many_references": "More identifiers in References than are kept.",
    HeaderTooManyReceived = "header_too_many_received": "More Received lines than are parsed; the rest were only counted.",
    HeaderTooManyKept = "header_too_many_kept": "More fields that the artifact table names than are kept.",
    HeaderKeptFieldCut = "header_kept_field_cut": "A field that the artifact table names is longer than what is kept of it.",
    HeaderUtf7 = "header_utf7": "Text in UTF-7, which no sender needs today and which hides text from filters (RFC 2152).",
    // ---- mime
    MimeNestedTooDeep = "mime_nested_too_deep": "Parts nested deeper than the limit; not looked into.",
    MimeTooManyParts = "mime_too_many_parts": "More parts than the limit; the rest were not looked at.",
    MimeBoundaryMissing = "mime_boundary_missing": "A multipart without a usable boundary parameter (RFC 2046 5.1.1).",
    MimeUnterminated = "mime_unterminated": "A multipart whose closing delimiter never came.",
    MimeBadTransferEncoding = "mime_bad_transfer_encoding": "Octets that the declared transfer encoding does not allow, or an unknown encoding.",
    MimePartHeaderTooLarge = "mime_part_header_too_large": "The header of a MIME part is larger than the limit; the rest was skipped.",
    MimeMalformedContentType = "mime_malformed_content_type": "A Content-Type or Content-Disposition that does not parse (RFC 2045 5.1).",
}

const _: () = assert!(Anomaly::ALL.len() <= 128, "AnomalySet holds 128");

/// A set of anomalies, ordered by declaration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnomalySet(u128);

impl AnomalySet {
    /// Adds *anomaly*.
    pub fn insert(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << (anomaly as u8);
    }

    /// Adds all of *other*.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// True if *anomaly* is in it.
    #[must_use]
    pub fn contains(&self, anomaly: Anomaly) -> bool {
        self.0 & (1 << (anomaly as u8)) != 0
    }

    /// True if nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Its members in the order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        // Nearly every set is empty, and this runs for every segment: only the bits that are set cost anything.
        let mut left = self.0;
        std::iter::from_fn(move || {
            let anomaly = Anomaly::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*anomaly)
        })
    }
}

/// How often each anomaly was seen. Counts only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnomalyCounts([u64; Anomaly::ALL.len()]);

impl Default for AnomalyCounts {
    fn default() -> Self {
        Self([0; Anomaly::ALL.len()])
    }
}

impl AnomalyCounts {
    /// Counts *anomaly* once.
    pub fn note(&mut self, anomaly: Anomaly) {
        let count = &mut self.0[anomaly as usize];
        *count = count.saturating_add(1);
    }

    /// How often *anomaly* was seen.
    #[must_use]
    pub fn count(&self, anomaly: Anomaly) -> u64 {
        self.0[anomaly as usize]
    }

    /// Each anomaly as (slug, meaning, count), in the order of declaration.
    #[must_use]
    pub fn list(&self) -> Vec<(&'static str, &'static str, u64)> {
        Anomaly::ALL
            .iter()
            .map(|anomaly| (anomaly.slug(), anomaly.meaning(), self.count(*anomaly)))
            .collect()
    }

    /// Adds every count of *other*.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_under_the_slug_of_their_anomaly() {
        let mut counts = AnomalyCounts::default();
        let last = Anomaly::ALL[Anomaly::ALL.len() - 1];
        counts.note(Anomaly::LinkTruncated);
        counts.note(last);
        counts.add(&counts.clone());
        let seen: Vec<_> = counts.list().into_iter().filter(|row| row.2 > 0).collect();
        assert_eq!(
            seen.iter().map(|row| (row.0, row.2)).collect::<Vec<_>>(),
            [("link_truncated", 2), (last.slug(), 2)]
        );
    }

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<_> = Anomaly::ALL.iter().map(|a| a.slug()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), Anomaly::ALL.len());
    }
}
