//! One mail's content as it streams: the header section, then the body.
//!
//! A loss inside the header section ends it there: the fields that are surely whole are read, and what comes up to the next
//! empty line is passed over, for nobody knows which fields stand above or below the hole. If the hole took the end of the
//! section too, that empty line is one of the body's; the facts then say less of the body, and nothing false of the header.

use crate::anomaly::{Anomaly, AnomalySet};
use crate::counters::Counters;
use crate::header;
use crate::header::collector::{Collected, Collector};
use crate::interest::Interest;
use crate::limits::Limits;
use crate::message::{Attachment, MessageFacts, Received};
use crate::mime::BodySkimmer;
use crate::structure::Envelope;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In the header section.
    Header,
    /// Octets of the header section were just lost; what came before them is still to be read.
    HeaderCut,
    /// Behind such a loss, before the next empty line.
    PastLoss,
    /// In the body.
    Body,
    /// What was collected was shed: the rest is counted.
    Shed,
}

/// Reads the content of one mail, dots unstuffed. About 1.7 KiB, and what its parts hold within their limits.
///
/// [`ContentReader::restart`] makes it ready for the next mail with the buffers of the last.
#[derive(Clone)]
pub struct ContentReader {
    stage: Stage,
    collector: Collector,
    mail: Mail,
}

/// What is known of the mail so far.
#[derive(Clone, Default)]
struct Mail {
    facts: MessageFacts,
    /// What the header's facts hold.
    facts_octets: usize,
    touched: bool,
    /// The trace lines were not read yet, and stand in the collector.
    trace_waits: bool,
    /// The header section was read, so the skimmer is at work.
    is_skimmed: bool,
    skimmer: BodySkimmer,
    /// Whom the topmost trace line that says so took the mail for, and the first other one.
    received_for: Vec<String>,
}

impl ContentReader {
    /// A reader at the start of a mail's content.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            stage: Stage::Header,
            collector: Collector::new(limits),
            mail: Mail::default(),
        }
    }

    /// Forgets the last mail.
    pub fn restart(&mut self) {
        self.stage = Stage::Header;
        self.collector.reset();
        self.mail.restart();
    }

    /// Takes the next octets of the content, cut anywhere.
    pub fn feed(&mut self, chunk: &[u8], interest: &Interest, limits: &Limits) {
        let size = &mut self.mail.facts.size_octets;
        *size = size.saturating_add(chunk.len() as u64);
        if self.stage == Stage::Shed {
            return;
        }
        if self.stage == Stage::HeaderCut {
            self.read_cut_header(interest, limits);
        }
        if self.stage == Stage::Body {
            self.mail.feed_body(chunk, interest, limits);
            return;
        }
        let Collected::Complete { section, body } = self.collector.feed(chunk) else {
            return;
        };
        if self.stage == Stage::Header {
            self.mail.read_header(section, interest, limits);
            self.mail.trace_waits = true;
            self.mail.facts.header_complete = true;
        }
        self.stage = Stage::Body;
        self.mail.feed_body(body, interest, limits);
    }

    /// The content began before the tap came in: how much is missing is not known, nor whether its header section is over.
    pub fn begin_inside(&mut self) {
        self.mail.facts.beginning_unseen = true;
        self.stage = Stage::HeaderCut;
    }

    /// The content goes on, and its rest will not be shown: its size and digest can't be known.
    pub fn end_inside(&mut self) {
        self.mail.facts.end_unseen = true;
        match self.stage {
            Stage::Header => self.stage = Stage::HeaderCut,
            Stage::Body => self.mail.skimmer.end_inside(),
            Stage::HeaderCut | Stage::PastLoss | Stage::Shed => {}
        }
    }

    /// The loss that came last reached the end of data: its dot and line end are none of the content.
    pub fn lost_its_end(&mut self) {
        const DOT_LINE_OCTETS: u64 = 3;
        let missing = &mut self.mail.facts.missing_octets;
        *missing = missing.saturating_sub(DOT_LINE_OCTETS).max(1);
    }

    /// *octets* of the content were lost here.
    pub fn gap(&mut self, octets: u64) {
        if octets == 0 {
            return;
        }
        let missing = &mut self.mail.facts.missing_octets;
        *missing = missing.saturating_add(octets);
        match self.stage {
            Stage::Header => self.stage = Stage::HeaderCut,
            Stage::PastLoss => self.stand_in_for_loss(),
            Stage::Body => self.mail.skimmer.gap(octets),
            Stage::HeaderCut | Stage::Shed => {}
        }
    }

    /// Octets it holds beside its own size, without a walk over them.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.collector.held_octets() + self.mail.facts_octets + self.mail.skimmer.held_octets()
    }

    /// Gives up what was collected: the fields that are surely whole are read, and of what comes the octets are counted.
    pub fn shed(&mut self, interest: &Interest, limits: &Limits) {
        if matches!(self.stage, Stage::Header | Stage::HeaderCut) {
            self.read_cut_header(interest, limits);
        }
        self.collector = Collector::new(limits);
        self.mail.shed();
        self.stage = Stage::Shed;
    }

    /// The content ends here: its facts, and whether the mail holds anything the artifact table can match. Call it once.
    ///
    /// The trace lines are drawn only of a mail that is touched: rules of trust ask for them.
    pub fn finish(
        &mut self,
        envelope: &Envelope<'_>,
        interest: &Interest,
        limits: &Limits,
        counters: &mut Counters,
    ) -> (MessageFacts, bool) {
        match self.stage {
            Stage::Header => {
                let section = self.collector.finish();
                self.mail.read_header(section, interest, limits);
                self.mail.trace_waits = true;
                self.mail.facts.anomalies.insert(Anomaly::HeaderEndMissing);
            }
            Stage::HeaderCut => self.read_cut_header(interest, limits),
            Stage::PastLoss | Stage::Body | Stage::Shed => {}
        }
        self.mail.facts.anomalies.extend(self.collector.anomalies());
        counters.header_octets_dropped = counters
            .header_octets_dropped
            .saturating_add(self.collector.octets_dropped());
        let (mut facts, touched_here) = self.mail.finish(interest, limits, counters);
        let touched = touched_here || envelope.touches(&facts.header, &self.mail.received_for);
        if touched && self.mail.trace_waits {
            facts.received = trace(self.collector.section(), limits);
        }
        (facts, touched)
    }

    /// Reads the fields before a loss. The last one may go on in what was lost: it is not read.
    fn read_cut_header(&mut self, interest: &Interest, limits: &Limits) {
        let section = self.collector.finish();
        let whole = &section[..last_field_start(section)];
        self.mail.read_header(whole, interest, limits);
        self.mail.facts.received = trace(whole, limits);
        self.mail.facts_octets = self.mail.facts.held_octets();
        self.mail.facts.anomalies.extend(self.collector.anomalies());
        self.collector.reset();
        self.stage = Stage::PastLoss;
        self.stand_in_for_loss();
    }

    /// The lost octets end inside some line: an octet in their place keeps its line end from being taken for an empty line.
    fn stand_in_for_loss(&mut self) {
        let _ = self.collector.feed(b"?");
    }
}

/// The trace lines of *section*. What is odd in them is some hop's doing and no anomaly of the mail.
fn trace(section: &[u8], limits: &Limits) -> Vec<Received> {
    header::trace(section, limits, &mut AnomalySet::default())
}

impl Mail {
    fn restart(&mut self) {
        self.facts = MessageFacts::default();
        self.facts_octets = 0;
        self.touched = false;
        self.trace_waits = false;
        self.is_skimmed = false;
        self.received_for.clear();
    }

    fn read_header(&mut self, section: &[u8], interest: &Interest, limits: &Limits) {
        let read = header::parse_section(section, interest, limits);
        let content = read.content;
        self.is_skimmed = true;
        self.skimmer.start(
            content.content_type,
            content.transfer_encoding,
            content.disposition,
            limits,
        );
        if read.touched {
            self.skimmer.look_for_labels();
        }
        let named = read.received_for.into_iter().flatten();
        self.received_for.clear();
        self.received_for
            .extend(named.map(|address| String::from_utf8_lossy(address).into_owned()));
        self.facts.header = read.header;
        self.facts.fields = read.fields;
        self.facts_octets = self.facts.held_octets();
        self.facts.anomalies.extend(read.anomalies);
        self.touched |= read.touched;
    }

    /// Forgets the body as far as it was read. A text that was not read to its end tells nothing of marks.
    fn shed(&mut self) {
        self.skimmer = BodySkimmer::default();
        (self.is_skimmed, self.trace_waits) = (false, false);
    }

    fn feed_body(&mut self, octets: &[u8], interest: &Interest, limits: &Limits) {
        if self.is_skimmed {
            self.skimmer.feed(octets, interest, limits);
        }
    }

    fn finish(&mut self, interest: &Interest, limits: &Limits, counters: &mut Counters) -> (MessageFacts, bool) {
        if self.is_skimmed {
            let (body, anomalies) = self.skimmer.finish(interest, limits);
            self.facts.body = body;
            self.facts.anomalies.extend(anomalies);
            let dropped = self.skimmer.parts_dropped();
            counters.mime_parts_dropped = counters.mime_parts_dropped.saturating_add(dropped);
        }
        let is_cut = self.facts.beginning_unseen || self.facts.end_unseen;
        if self.facts.missing_octets > 0 || is_cut {
            self.facts.body.digest = None; // also where only the header lost octets: the body may begin elsewhere
        }
        let facts = std::mem::take(&mut self.facts);
        let touched = self.touched || body_touches(&facts);
        (facts, touched)
    }
}

/// Where the last field of *section* starts.
fn last_field_start(section: &[u8]) -> usize {
    memchr::memrchr_iter(b'\n', section)
        .map(|line_end| line_end + 1)
        .find(|&line| !matches!(section.get(line), Some(b' ' | b'\t')))
        .unwrap_or(0)
}

/// True if the body holds anything that rows of the artifact table look at: a mark, a report, a meeting, an attached mail.
fn body_touches(facts: &MessageFacts) -> bool {
    let body = &facts.body;
    !body.marks.is_empty()
        || body.attached_messages > 0
        || body.report_type.is_some()
        || body.calendar_method.is_some()
        || body.attachments.iter().any(is_attached_mail)
}

/// Mail attached in Outlook's own formats, or by a client that calls it a mere file.
fn is_attached_mail(attachment: &Attachment) -> bool {
    let is_type = matches!(
        attachment.content_type.as_str(),
        "application/vnd.ms-outlook" | "application/ms-tnef" | "application/vnd.ms-tnef"
    );
    is_type
        || attachment.filename.as_ref().is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            name == "winmail.dat" || name.ends_with(".eml") || name.ends_with(".msg")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interest::InterestSpec;
    use proptest::prelude::*;

    /// A piece of content, or octets lost.
    enum Piece<'a> {
        Seen(&'a [u8]),
        Lost(u64),
    }
    use Piece::{Lost, Seen};

    fn interest() -> Interest {
        let spec = InterestSpec {
            fields: vec!["X-Forwarded-To".to_owned()],
            body_marks: vec!["forwarded message".to_owned()],
            ..InterestSpec::default()
        };
        Interest::new(&spec).unwrap()
    }

    fn read(pieces: &[Piece<'_>], limits: &Limits) -> (MessageFacts, bool, Counters) {
        let interest = interest();
        let mut reader = ContentReader::new(limits);
        for piece in pieces {
            match piece {
                Seen(octets) => reader.feed(octets, &interest, limits),
                Lost(octets) => reader.gap(*octets),
            }
        }
        let mut counters = Counters::default();
        let (facts, touched) = reader.finish(&Envelope::default(), &interest, limits, &mut counters);
        (facts, touched, counters)
    }

    const MAIL: &[u8] = b"Received: from a by b; Sun, 22 Nov 2026 01:00:00 +0000\r\n\
        Subject: hello\r\nX-Forwarded-To: ann@corp.example\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n\r\n\
        --b\r\n\r\nforwarded message\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--b--\r\n";

    #[test]
    fn a_mail_gives_its_facts_whole_and_octet_by_octet() {
        let limits = Limits::default();
        let octets: Vec<Piece> = MAIL.chunks(1).map(Seen).collect();
        let (facts, touched, _) = read(&[Seen(MAIL)], &limits);
        assert_eq!(read(&octets, &limits).0, facts);
        assert_eq!(facts.header.subject.as_deref(), Some("hello"));
        assert_eq!((facts.fields.len(), facts.received.len()), (1, 1));
        assert_eq!(facts.body.content_type, "multipart/mixed");
        assert_eq!((facts.body.parts, facts.body.attached_messages), (2, 1));
        assert_eq!(facts.body.marks, [0]);
        assert!(facts.header_complete && touched && facts.anomalies.is_empty());
        assert_eq!((facts.size_octets, facts.missing_octets), (MAIL.len() as u64, 0));
    }

    #[test]
    fn what_touches_is_told() {
        let cases: &[(&[u8], bool)] = &[
            (b"Subject: x\r\n\r\nplain text", false),
            (b"X-forwarded-to: x\r\n\r\nplain text", true),
            (b"Subject: x\r\n\r\nForwarded message", true),
            (b"Content-Type: message/rfc822\r\n\r\n", true),
            (b"Content-Type: application/vnd.ms-outlook\r\n\r\n", true),
            (
                b"Content-Type: application/octet-stream; name=WinMail.dat\r\n\r\n",
                true,
            ),
            (b"Content-Type: application/octet-stream; name=a.EML\r\n\r\n", true),
            (b"Content-Type: application/pdf; name=a.pdf\r\n\r\n", false),
            (b"Content-Type: text/calendar; method=REQUEST\r\n\r\n", true),
            (
                b"Content-Type: multipart/report; report-type=x; boundary=b\r\n\r\n",
                true,
            ),
        ];
        for (content, expected) in cases {
            let (_, touched, _) = read(&[Seen(content)], &Limits::default());
            assert_eq!(touched, *expected, "{}", content.escape_ascii());
        }
    }

    #[test]
    fn content_that_ends_in_the_header_says_so() {
        let (facts, ..) = read(&[Seen(b"Subject: hello\r\n")], &Limits::default());
        assert_eq!(facts.header.subject.as_deref(), Some("hello"));
        assert!(!facts.header_complete && facts.anomalies.contains(Anomaly::HeaderEndMissing));
        assert!(facts.body.digest.is_some());
    }

    #[test]
    fn a_loss_in_the_header_keeps_what_is_surely_whole() {
        let pieces = [
            Seen(b"Subject: hello\r\nContent-Type: multipart/mixed; boundary=b\r\nTo: a@b.example,\r\n c@d.ex"),
            Lost(10),
            Seen(b"\r\nSubject: after\r\n\r"),
            Seen(b"\n--b\r\nContent-Type: x/y\r\n\r\nabc\r\n--b--"),
        ];
        let (facts, ..) = read(&pieces, &Limits::default());
        assert_eq!(facts.header.subject.as_deref(), Some("hello"));
        assert_eq!(facts.header.to, [""; 0]);
        assert_eq!(facts.body.attachments.len(), 1);
        assert_eq!((facts.header_complete, facts.missing_octets), (false, 10));
        assert_eq!(facts.body.digest, None);
        assert!(!facts.anomalies.contains(Anomaly::HeaderEndMissing));
    }

    #[test]
    fn losses_at_every_place_are_counted() {
        let cases: &[&[Piece]] = &[
            &[Lost(5)],
            &[Lost(3), Lost(2)],
            &[Lost(3), Seen(b"x: y\r\n"), Lost(2), Seen(b"\r\n")],
            &[Seen(b"Subject: x\r\n\r\nbody"), Lost(5), Seen(b"more")],
            &[Seen(b"Subject: x\r\n"), Lost(5)],
        ];
        for pieces in cases {
            let (facts, ..) = read(pieces, &Limits::default());
            assert_eq!((facts.missing_octets, facts.body.digest), (5, None));
        }
        let (facts, ..) = read(&[Lost(0), Seen(b"\r\nx")], &Limits::default());
        assert!(facts.body.digest.is_some());
    }

    #[test]
    fn the_digest_is_of_the_body_alone() {
        let digest = |content: &[u8]| read(&[Seen(content)], &Limits::default()).0.body.digest;
        assert_eq!(
            digest(b"A: b\r\n\r\nbody\r\n"),
            digest(b"Received: x\r\nA: b\r\n\r\nbody")
        );
        assert_ne!(digest(b"A: b\r\n\r\nbody"), digest(b"A: b\r\n\r\nBody"));
    }

    #[test]
    fn what_bounds_drop_is_counted() {
        let limits = Limits {
            header_octets: 20,
            mime_parts: 1,
            ..Limits::default()
        };
        let (facts, _, counters) = read(&[Seen(MAIL)], &limits);
        assert!(facts.anomalies.contains(Anomaly::HeaderTooLarge));
        assert!(counters.header_octets_dropped > 0);
        let limits = Limits {
            mime_parts: 1,
            ..Limits::default()
        };
        assert_eq!(read(&[Seen(MAIL)], &limits).2.mime_parts_dropped, 1);
    }

    proptest! {
        #[test]
        fn cuts_and_losses_are_survived(
            lost in prop::collection::vec(prop::bool::weighted(0.2), 1..20),
            cut in 1_usize..60,
        ) {
            let chunks = MAIL.chunks(cut).zip(lost.iter().cycle());
            let pieces: Vec<Piece> = chunks
                .map(|(chunk, &lost)| if lost { Lost(chunk.len() as u64) } else { Seen(chunk) })
                .collect();
            let (facts, ..) = read(&pieces, &Limits::default());
            prop_assert_eq!(facts.size_octets + facts.missing_octets, MAIL.len() as u64);
            prop_assert!(facts.header.subject.as_ref().is_none_or(|subject| subject == "hello"));
            prop_assert_eq!(facts.body.digest.is_none(), facts.missing_octets > 0);
            if facts.missing_octets == 0 {
                prop_assert_eq!(facts, read(&[Seen(MAIL)], &Limits::default()).0);
            }
        }
    }
}
