//! The walk through a body: from delimiter line to delimiter line, every leaf's octets to where they are wanted.
//!
//! | place       | octets go to                  | ends with                                         | then          |
//! |-------------|-------------------------------|---------------------------------------------------|---------------|
//! | `Body`      | the sinks of the current leaf | a delimiter line                                  | `SkipLine`    |
//! |             |                               | a closing delimiter line (the rest is epilogue)   | `Body`        |
//! | `SkipLine`  | nowhere                       | LF                                                | `Header`      |
//! | `Header`    | the collector                 | the empty line, or a line that is no field        | `Body`        |
//! |             |                               | a delimiter line                                  | as in `Body`  |
//!
//! In `Body` one search for LF and two hyphens finds every line that may be a delimiter, of whichever multipart. After a loss
//! in `Body` the next line start is found by the same search; after one in a header the broken line is skipped and the next
//! one tells whether it is header or body.

use std::sync::LazyLock;

use memchr::memmem;

use super::content_type::{ContentType, Disposition};
use super::delimiter::{Delimiter, Kind, Open};
use super::digest::BodyDigest;
use super::part::{self, Sinks, Wanted};
use super::part_header::{Collector, Line, PartFields};
use super::text::{Closer, Search, Window};
use super::transfer::{DecodedSize, Encoding};
use crate::anomaly::{Anomaly, AnomalySet};
use crate::interest::Interest;
use crate::limits::Limits;
use crate::message::{Attachment, BodyFacts};

/// Finds the lines that may be delimiters.
static LINE_START: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\n--"));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Body,
    SkipLine,
    Header,
}

/// Skims one body as it streams by.
///
/// One may read one body after another: it keeps its buffers. Holds no more than the first `Limits::body_search_octets` of one text, the header of one part, the start of one line, and
/// the facts, each bounded by its limit.
#[derive(Clone)]
pub struct BodySkimmer {
    digest: BodyDigest,
    open: Open,
    place: Place,
    /// In `Body`: a line end and the start of a line behind it, not yet known to be a delimiter.
    held: Vec<u8>,
    /// In `Body`: the next octet starts a line though no line end is held (the body has just begun).
    at_line_start: bool,
    header: Collector,
    sinks: Sinks,
    /// What the last text's window was kept in, for the next one's.
    text_buffer: Vec<u8>,
    wanted: Wanted,
    /// The mail is touched already: its text is looked at for quoted header blocks.
    wants_labels: bool,
    facts: BodyFacts,
    /// What the attachments listed so far hold.
    attachment_octets: usize,
    parts_dropped: u64,
    /// The body goes on behind what was shown.
    is_cut: bool,
    anomalies: AnomalySet,
}

impl Default for BodySkimmer {
    fn default() -> Self {
        Self {
            digest: BodyDigest::new(),
            open: Open::default(),
            place: Place::Body,
            held: Vec::new(),
            at_line_start: true,
            header: Collector::default(),
            sinks: Sinks::default(),
            text_buffer: Vec::new(),
            wanted: Wanted::FirstText,
            wants_labels: false,
            facts: BodyFacts::default(),
            attachment_octets: 0,
            parts_dropped: 0,
            is_cut: false,
            anomalies: AnomalySet::default(),
        }
    }
}

impl BodySkimmer {
    /// A skimmer that has started: see [`BodySkimmer::start`].
    #[must_use]
    pub fn new(
        content_type: Option<&[u8]>,
        transfer_encoding: Option<&[u8]>,
        disposition: Option<&[u8]>,
        limits: &Limits,
    ) -> Self {
        let mut skimmer = Self::default();
        skimmer.start(content_type, transfer_encoding, disposition, limits);
        skimmer
    }

    /// Starts the body of a mail with these raw header field values, folded or not; none where the field is absent.
    pub fn start(
        &mut self,
        content_type: Option<&[u8]>,
        transfer_encoding: Option<&[u8]>,
        disposition: Option<&[u8]>,
        limits: &Limits,
    ) {
        self.digest.restart();
        self.open.truncate(0);
        self.held.clear();
        self.header.clear();
        self.sinks = Sinks::default();
        self.wanted = Wanted::FirstText;
        self.wants_labels = false;
        self.facts = BodyFacts::default();
        self.attachment_octets = 0;
        self.parts_dropped = 0;
        self.is_cut = false;
        self.anomalies = AnomalySet::default();
        let fields = PartFields {
            content_type,
            transfer_encoding,
            disposition,
        };
        self.facts.content_type = self.begin_part(fields, limits);
        self.facts.parts = u32::from(self.open.is_empty());
    }

    /// Looks for quoted header blocks in texts without marks as well. Ordinary mail is spared that.
    pub fn look_for_labels(&mut self) {
        self.wants_labels = true;
    }

    /// Takes the next octets of the body, cut anywhere.
    pub fn feed(&mut self, chunk: &[u8], interest: &Interest, limits: &Limits) {
        self.digest.feed(chunk);
        let mut rest = chunk;
        while !rest.is_empty() {
            let used = match self.place {
                Place::Body => self.feed_body(rest, interest, limits),
                Place::SkipLine => self.skip_line(rest),
                Place::Header => self.feed_header(rest, interest, limits),
            };
            rest = &rest[used..];
        }
    }

    /// *octets* of the body were lost here: there is no digest, sizes count what was seen, delimiters are found again from
    /// the next line on.
    pub fn gap(&mut self, octets: u64) {
        if octets == 0 {
            return;
        }
        self.digest.gap();
        match self.place {
            Place::Body => {
                self.flush_held();
                self.sinks.gap();
            }
            Place::SkipLine => {}
            Place::Header => {
                self.header.drop_line();
                self.place = Place::SkipLine;
            }
        }
    }

    /// The body goes on, and its rest will not be shown: there is no digest, and multiparts may well be closed in it.
    pub fn end_inside(&mut self) {
        self.gap(1);
        self.is_cut = true;
    }

    /// The body ends here. Call it once.
    pub fn finish(&mut self, interest: &Interest, limits: &Limits) -> (BodyFacts, AnomalySet) {
        self.finish_line(interest, limits);
        if self.place != Place::Body {
            self.begin_collected_part(limits);
        }
        self.end_part(interest, limits);
        if !self.open.is_empty() && !self.is_cut {
            self.anomalies.insert(Anomaly::MimeUnterminated);
        }
        self.facts.digest = self.digest.finish();
        self.facts.octets = self.digest.octets();
        (std::mem::take(&mut self.facts), self.anomalies)
    }

    /// Octets it holds beside its own size, without a walk over them.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        let window = self.sinks.window.as_ref().map_or(0, Window::held_octets);
        self.held.len() + self.header.held_octets() + self.text_buffer.len() + window + self.attachment_octets
    }

    /// Parts not looked into and attachments not listed because a bound was reached.
    #[must_use]
    pub const fn parts_dropped(&self) -> u64 {
        self.parts_dropped
    }

    // ---- octets: each of these returns how many it used

    fn feed_body(&mut self, octets: &[u8], interest: &Interest, limits: &Limits) -> usize {
        if self.open.is_empty() {
            self.sinks.feed(octets);
            return octets.len();
        }
        if self.at_line_start || !self.held.is_empty() {
            return self.decide_line(octets, interest, limits);
        }
        let mut candidates = LINE_START.find_iter(octets);
        let candidate = candidates.find(|lf| self.open.may_begin_with(octets.get(lf + b"\n--".len())));
        let line_end = match candidate {
            Some(lf) => lf - usize::from(octets[..lf].ends_with(b"\r")),
            None => octets.len() - undecided_octets(octets),
        };
        let used = candidate.map_or(octets.len(), |lf| lf + 1);
        self.sinks.feed(&octets[..line_end]);
        self.held.extend_from_slice(&octets[line_end..used]);
        used
    }

    /// Goes on with a line that may be a delimiter, until its end or enough of it has come.
    fn decide_line(&mut self, octets: &[u8], interest: &Interest, limits: &Limits) -> usize {
        if self.held == b"\r" {
            return self.complete_line_end(octets[0]);
        }
        let held = self.held_line().len();
        if held < b"--".len() && octets[0] != b'-' {
            self.flush_held();
            return 0;
        }
        let wanted = self.open.deciding_octets().saturating_sub(held);
        let within = &octets[..octets.len().min(wanted)];
        let line_end = memchr::memchr(b'\n', within);
        let used = line_end.unwrap_or(within.len());
        self.held.extend_from_slice(&octets[..used]);
        if line_end.is_some() || used == wanted {
            self.end_line(interest, limits);
        }
        used
    }

    /// Behind a CR that is held.
    fn complete_line_end(&mut self, next: u8) -> usize {
        if next == b'\n' {
            self.held.push(next);
            return 1;
        }
        self.flush_held();
        0
    }

    fn skip_line(&mut self, octets: &[u8]) -> usize {
        let line_end = memchr::memchr(b'\n', octets);
        if line_end.is_some() {
            self.place = Place::Header;
        }
        line_end.map_or(octets.len(), |lf| lf + 1)
    }

    fn feed_header(&mut self, octets: &[u8], interest: &Interest, limits: &Limits) -> usize {
        let line_end = memchr::memchr(b'\n', octets);
        let line = &octets[..line_end.unwrap_or(octets.len())];
        self.header.push(line, &self.open, limits.mime_part_header_octets);
        let uses_line_end = line_end.is_some() && self.end_header_line(interest, limits);
        line.len() + usize::from(uses_line_end)
    }

    // ---- lines

    /// The line held is known: a delimiter, or content.
    fn end_line(&mut self, interest: &Interest, limits: &Limits) {
        if let Some(delimiter) = self.open.read(self.held_line()) {
            self.held.clear();
            self.at_line_start = false;
            self.delimiter(delimiter, interest, limits);
            return;
        }
        let ends_in_cr = self.held.ends_with(b"\r");
        if ends_in_cr {
            self.held.pop();
        }
        self.flush_held();
        if ends_in_cr {
            self.held.push(b'\r');
        }
    }

    /// A line of a part's header is whole. False if its LF is still wanted by what follows.
    fn end_header_line(&mut self, interest: &Interest, limits: &Limits) -> bool {
        let line = self.header.line(&self.open);
        match line {
            Line::Header => self.header.keep_line(limits.mime_part_header_octets),
            Line::Empty => self.begin_collected_part(limits),
            Line::Delimiter(delimiter) => {
                self.begin_collected_part(limits);
                self.delimiter(delimiter, interest, limits);
            }
            Line::Body => {
                let first_line = self.header.current_line().to_vec();
                self.begin_collected_part(limits);
                self.held = first_line;
            }
        }
        matches!(line, Line::Header | Line::Empty)
    }

    /// The content ended: the last line, if its end is missing, counts as it stands.
    fn finish_line(&mut self, interest: &Interest, limits: &Limits) {
        if self.place == Place::Header && !self.header.current_line().is_empty() {
            self.end_header_line(interest, limits);
        }
        if self.place == Place::Body && !self.held.is_empty() {
            self.end_line(interest, limits);
            self.flush_held();
        }
    }

    /// The held octets without the line end before them.
    fn held_line(&self) -> &[u8] {
        match self.held.as_slice() {
            [b'\r', b'\n', line @ ..] | [b'\n', line @ ..] => line,
            line => line,
        }
    }

    /// What was held is content.
    fn flush_held(&mut self) {
        self.sinks.feed(&self.held);
        self.held.clear();
        self.at_line_start = false;
    }

    // ---- parts

    fn delimiter(&mut self, delimiter: Delimiter, interest: &Interest, limits: &Limits) {
        self.end_part(interest, limits);
        if self.open.depth() > delimiter.depth + 1 {
            self.anomalies.insert(Anomaly::MimeUnterminated);
        }
        self.place = Place::Body;
        if delimiter.closing {
            self.open.truncate(delimiter.depth);
            return;
        }
        self.open.truncate(delimiter.depth + 1);
        self.facts.parts = self.facts.parts.saturating_add(1);
        if self.facts.parts as usize > limits.mime_parts {
            self.drop_part(Anomaly::MimeTooManyParts);
            return;
        }
        self.header.clear();
        self.place = Place::SkipLine;
    }

    fn drop_part(&mut self, reason: Anomaly) {
        self.anomalies.insert(reason);
        self.parts_dropped += 1;
    }

    /// The header of a part is complete, but for a line that is none of it.
    fn begin_collected_part(&mut self, limits: &Limits) {
        self.header.drop_line();
        if self.header.is_cut() {
            self.anomalies.insert(Anomaly::MimePartHeaderTooLarge);
        }
        let header = std::mem::take(&mut self.header);
        self.begin_part(PartFields::find(header.section()), limits);
        self.header = header;
    }

    /// Opens the part that *fields* describe, the whole body at first. Its `type/subtype`.
    fn begin_part(&mut self, fields: PartFields<'_>, limits: &Limits) -> String {
        let default = if self.open.kind() == Kind::Digest {
            "message/rfc822"
        } else {
            "text/plain"
        };
        let content_type = ContentType::read(fields.content_type, default, limits);
        let encoding = Encoding::read(fields.transfer_encoding);
        if content_type.is_malformed {
            self.anomalies.insert(Anomaly::MimeMalformedContentType);
        }
        if encoding == Encoding::Unknown {
            self.anomalies.insert(Anomaly::MimeBadTransferEncoding);
        }
        self.place = Place::Body;
        self.at_line_start = true;
        match content_type.multipart() {
            Some(subtype) => self.begin_multipart(subtype, &content_type, encoding, limits),
            None => self.begin_leaf(&content_type, fields.disposition, encoding, limits),
        }
        content_type.media_type
    }

    fn begin_multipart(&mut self, subtype: &str, content_type: &ContentType<'_>, encoding: Encoding, limits: &Limits) {
        if matches!(encoding, Encoding::Base64 | Encoding::QuotedPrintable) {
            self.anomalies.insert(Anomaly::MimeBadTransferEncoding); // RFC 2045 6.4 forbids it; it is passed over
        }
        if subtype == "report" && self.facts.report_type.is_none() {
            self.facts.report_type = content_type.token("report-type", limits);
        }
        let boundary = content_type.parameters.octets("boundary").unwrap_or_default();
        let boundary = boundary.trim_ascii_end();
        if boundary.is_empty() || boundary.len() > limits.mime_boundary_octets {
            self.anomalies.insert(Anomaly::MimeBoundaryMissing);
            self.begin_text("plain", content_type, Encoding::Identity, limits);
        } else if self.open.depth() >= limits.mime_depth {
            self.drop_part(Anomaly::MimeNestedTooDeep);
        } else {
            self.open.push(boundary, Kind::of(subtype));
        }
    }

    fn begin_leaf(
        &mut self,
        content_type: &ContentType<'_>,
        disposition: Option<&[u8]>,
        encoding: Encoding,
        limits: &Limits,
    ) {
        let disposition = Disposition::read(disposition, limits);
        if disposition.parameters.are_malformed {
            self.anomalies.insert(Anomaly::MimeMalformedContentType);
        }
        if content_type.is_message() {
            self.facts.attached_messages = self.facts.attached_messages.saturating_add(1);
        }
        let filename = part::filename(content_type, &disposition, limits, &mut self.anomalies);
        let is_listed = part::is_listed(content_type, &disposition, filename.as_deref());
        if is_listed {
            self.list(filename, &content_type.media_type, encoding, limits);
        }
        match content_type.media_type.strip_prefix("text/") {
            Some("calendar") => self.begin_calendar(content_type, encoding, limits),
            Some(subtype) if !is_listed => self.begin_text(subtype, content_type, encoding, limits),
            _ => {}
        }
        if self.facts.report_type.is_some() {
            self.begin_part_of_report(content_type, encoding, limits);
        }
    }

    /// The parts of a report that are meant for programs say why and for whom (RFC 3464 2), and bring back the mail or its
    /// header: they are searched as the text is.
    fn begin_part_of_report(&mut self, content_type: &ContentType<'_>, encoding: Encoding, limits: &Limits) {
        let search = match content_type.media_type.as_str() {
            "message/delivery-status" => Search::Marks,
            "message/rfc822" | "message/global" | "message/rfc822-headers" | "text/rfc822-headers" => {
                Search::ReturnedHeader
            }
            _ => return,
        };
        self.sinks.window = Some(self.window(search, content_type, encoding, limits));
    }

    fn list(&mut self, filename: Option<String>, media_type: &str, encoding: Encoding, limits: &Limits) {
        let place = self.facts.attachments.len();
        if place >= limits.attachments {
            self.parts_dropped += 1;
            return;
        }
        let attachment = Attachment {
            filename,
            content_type: media_type.to_owned(),
            size_octets: 0,
        };
        self.attachment_octets += attachment.held_octets();
        self.facts.attachments.push(attachment);
        self.sinks.size = Some((place, DecodedSize::new(encoding)));
    }

    /// A calendar object is no text for readers; the first method that one tells is kept.
    fn begin_calendar(&mut self, content_type: &ContentType<'_>, encoding: Encoding, limits: &Limits) {
        if self.facts.calendar_method.is_some() {
            return;
        }
        self.facts.calendar_method = content_type.token("method", limits);
        if self.facts.calendar_method.is_none() {
            self.sinks.window = Some(self.window(Search::CalendarMethod, content_type, encoding, limits));
        }
    }

    fn begin_text(&mut self, subtype: &str, content_type: &ContentType<'_>, encoding: Encoding, limits: &Limits) {
        let is_alternative = self.open.kind() == Kind::Alternative;
        let (search, wanted) = self.wanted.next(subtype, is_alternative);
        self.wanted = wanted;
        self.sinks.window = search.map(|search| self.window(search, content_type, encoding, limits));
    }

    fn window(
        &mut self,
        search: Search,
        content_type: &ContentType<'_>,
        encoding: Encoding,
        limits: &Limits,
    ) -> Window {
        let charset = content_type.parameters.octets("charset").unwrap_or_default();
        let buffer = std::mem::take(&mut self.text_buffer);
        Window::new(search, encoding, &charset, limits.body_search_octets, buffer)
    }

    fn end_part(&mut self, interest: &Interest, limits: &Limits) {
        let sinks = std::mem::take(&mut self.sinks);
        let mut is_broken = false;
        if let Some((place, size)) = sinks.size {
            let (octets, broken) = size.finish();
            self.facts.attachments[place].size_octets = octets;
            is_broken |= broken;
        }
        if let Some(window) = sinks.window {
            let is_report = self.facts.report_type.is_some();
            let closer = Closer {
                labels: self.wants_labels,
                addresses_max: if is_report { limits.reported_addresses } else { 0 },
            };
            let seen = window.finish(interest, closer, &mut self.facts);
            is_broken |= seen.is_broken;
            self.facts.calendar_method = self.facts.calendar_method.take().or(seen.calendar_method);
            self.text_buffer = seen.buffer;
        }
        if is_broken {
            self.anomalies.insert(Anomaly::MimeBadTransferEncoding);
        }
    }
}

/// How many octets at the end of *octets* may be the start of a line end with a delimiter behind it.
const fn undecided_octets(octets: &[u8]) -> usize {
    match octets {
        [.., b'\r', b'\n', b'-'] => 3,
        [.., b'\n', b'-'] | [.., b'\r', b'\n'] => 2,
        [.., b'\n'] | [.., b'\r'] => 1,
        _ => 0,
    }
}
