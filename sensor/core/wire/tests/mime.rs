//! The skimmer through its public names: whole, octet by octet, cut anywhere, with losses, and against generated truth.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wire::anomaly::{Anomaly, AnomalySet};
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::message::{Attachment, BodyFacts};
use wire::mime::BodySkimmer;

type Facts = (BodyFacts, AnomalySet);

fn interest() -> Interest {
    let marks = ["forwarded message", "original message", "divRplyFwdMsg"];
    let spec = InterestSpec {
        body_marks: marks.map(String::from).to_vec(),
        ..InterestSpec::default()
    };
    Interest::new(&spec).unwrap()
}

fn skim_with(content_type: &str, chunks: &mut dyn Iterator<Item = &[u8]>, limits: &Limits) -> Facts {
    let interest = interest();
    let content_type = (!content_type.is_empty()).then_some(content_type.as_bytes());
    let mut skimmer = BodySkimmer::new(content_type, None, None, limits);
    for chunk in chunks {
        skimmer.feed(chunk, &interest, limits);
    }
    skimmer.finish(&interest, limits)
}

/// Skims *body* whole, octet by octet and with line ends behind it; all three must tell the same.
fn skim(content_type: &str, body: &str) -> Facts {
    let limits = Limits::default();
    let body = body.replace('\n', "\r\n");
    let body = body.as_bytes();
    let whole = skim_with(content_type, &mut std::iter::once(body), &limits);
    let by_octets = skim_with(content_type, &mut body.chunks(1), &limits);
    assert_eq!(by_octets, whole);
    whole
}

/// As [`skim`], and once more with an epilogue, which must change nothing but digest and length.
fn skim_multipart(content_type: &str, body: &str) -> Facts {
    let (facts, anomalies) = skim(content_type, body);
    let (mut with_tail, tail_anomalies) = skim(content_type, &format!("{body}\nepilogue forwarded message\n--\n"));
    assert_ne!(with_tail.digest, facts.digest);
    assert!(with_tail.octets > facts.octets);
    with_tail.octets = facts.octets;
    with_tail.digest.clone_from(&facts.digest);
    assert_eq!((&with_tail, tail_anomalies), (&facts, anomalies));
    (facts, anomalies)
}

fn attachment(filename: Option<&str>, content_type: &str, size_octets: u64) -> Attachment {
    Attachment {
        filename: filename.map(str::to_owned),
        content_type: content_type.to_owned(),
        size_octets,
    }
}

fn only(anomaly: Anomaly) -> AnomalySet {
    let mut set = AnomalySet::default();
    set.insert(anomaly);
    set
}

#[test]
fn a_mail_without_content_type_is_one_plain_text() {
    let (facts, anomalies) = skim("", "Hello\n\n---------- Forwarded message ---------\nFrom: x\n");
    assert_eq!(facts.content_type, "text/plain");
    assert_eq!((facts.parts, facts.marks.as_slice()), (1, &[0][..]));
    assert!(facts.attachments.is_empty() && anomalies.is_empty());
    assert_eq!(facts.digest.map(|digest| digest.len()), Some(32));
}

#[test]
fn an_empty_body_has_facts() {
    let (facts, anomalies) = skim("text/html", "");
    assert_eq!((facts.parts, facts.content_type.as_str()), (1, "text/html"));
    assert!(facts.digest.is_some() && anomalies.is_empty());
}

#[test]
fn a_single_part_that_is_no_text_is_listed() {
    let (facts, _) = skim("application/pdf; name=\"r.pdf\"", "12345\n");
    assert_eq!(facts.attachments, [attachment(Some("r.pdf"), "application/pdf", 7)]);
    let (facts, _) = skim("message/rfc822", "From: a\n\nx");
    assert_eq!(facts.attached_messages, 1);
}

#[test]
fn parts_of_a_common_mail_are_told() {
    let body = "preamble forwarded message
--outer
Content-Type: multipart/alternative; boundary=\"inner\"

--inner
Content-Type: text/plain; charset=utf-8

plain original message
--inner
Content-Type: text/html

<div id=divRplyFwdMsg>forwarded message</div>
--inner--

--outer
Content-Type: image/png
Content-Transfer-Encoding: base64

QUJD
QUI=
--outer
Content-Type: application/octet-stream;
 name=wrong.bin
Content-Disposition: attachment;
 filename*0*=utf-8''%e2%82;
 filename*1*=%ac.bin

123
456
--outer
Content-Type: text/plain; name=notes.txt

forwarded message
--outer--";
    let (facts, anomalies) = skim_multipart("multipart/mixed; boundary=outer", body);
    assert_eq!(
        facts.attachments,
        [
            attachment(None, "image/png", 5),
            attachment(Some("€.bin"), "application/octet-stream", 8),
            attachment(Some("notes.txt"), "text/plain", 17),
        ]
    );
    assert_eq!((facts.parts, facts.marks.as_slice()), (6, &[0, 1, 2][..]));
    assert!(anomalies.is_empty());
}

#[test]
fn only_the_first_text_and_its_html_are_searched() {
    let part = |kind: &str, text: &str| format!("--b\nContent-Type: {kind}\n\n{text}\n");
    let cases = [
        (
            "alternative",
            vec![("text/plain", "original message"), ("text/html", "forwarded message")],
            vec![0, 1],
        ),
        (
            "mixed",
            vec![("text/plain", "original message"), ("text/html", "forwarded message")],
            vec![1],
        ),
        (
            "mixed",
            vec![("text/html", "original message"), ("text/html", "forwarded message")],
            vec![1],
        ),
        (
            "mixed",
            vec![
                ("text/plain; name=x", "original message"),
                ("text/plain", "forwarded message"),
            ],
            vec![0],
        ),
        (
            "mixed",
            vec![("image/png", "original message"), ("text/x-any", "forwarded message")],
            vec![0],
        ),
        ("mixed", vec![("message/rfc822", "\n\noriginal message")], vec![]),
    ];
    for (kind, parts, marks) in cases {
        let parts: String = parts.iter().map(|(kind, text)| part(kind, text)).collect();
        let (facts, _) = skim_multipart(&format!("multipart/{kind}; boundary=b"), &format!("{parts}--b--"));
        assert_eq!(facts.marks, marks, "{parts}");
    }
}

#[test]
fn an_attached_mail_is_counted_and_not_looked_into() {
    let body = "--b

see below
--b
Content-Type: message/rfc822
Content-Disposition: attachment; filename=\"=?utf-8?Q?a.eml?=\"

Content-Type: multipart/mixed; boundary=inner
X-Forwarded-To: somebody

--inner
Content-Type: application/pdf; name=inner.pdf

x
--inner
Content-Type: message/rfc822

Subject: y
--b--";
    let (facts, anomalies) = skim_multipart("multipart/mixed; boundary=b", body);
    assert_eq!(
        (facts.attached_messages, facts.parts, facts.attachments.len()),
        (1, 2, 1)
    );
    assert_eq!(facts.attachments[0].content_type, "message/rfc822");
    assert_eq!(facts.attachments[0].filename.as_deref(), Some("a.eml"));
    assert!(anomalies.is_empty());
}

#[test]
fn parts_of_a_digest_are_messages_by_default() {
    let body = "--d\n\nSubject: a\n\nx\n--d\nContent-Type: text/plain\n\nx\n--d\n\nSubject: b\n--d--";
    let (facts, _) = skim_multipart("multipart/digest; boundary=d", body);
    assert_eq!((facts.attached_messages, facts.parts), (2, 3));
}

#[test]
fn a_report_tells_its_type_and_its_returned_mail() {
    let body = "--r\n\nsorry\n--r\nContent-Type: message/delivery-status\n\nAction: failed\n\
        --r\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--r--";
    let (facts, _) = skim_multipart("multipart/report; report-type=\"Delivery-Status\"; boundary=r", body);
    assert_eq!(facts.report_type.as_deref(), Some("delivery-status"));
    assert_eq!((facts.attached_messages, facts.parts), (1, 3));
}

#[test]
fn a_meeting_tells_its_method() {
    let told = "--c\nContent-Type: text/calendar; method=REQUEST\n\nMETHOD:CANCEL\n--c--";
    let (facts, _) = skim_multipart("multipart/mixed; boundary=c", told);
    assert_eq!(facts.calendar_method.as_deref(), Some("request"));
    let untold = "--c\nContent-Type: text/calendar; name=invite.ics\nContent-Transfer-Encoding: base64\n\n\
        QkVHSU46VkNBTEVOREFSCk1FVEhPRDpDQU5DRUwK\n--c--";
    let (facts, _) = skim_multipart("multipart/mixed; boundary=c", untold);
    assert_eq!(facts.calendar_method.as_deref(), Some("cancel"));
    assert_eq!(facts.attachments, [attachment(Some("invite.ics"), "text/calendar", 30)]);
}

#[test]
fn delimiters_are_told_from_what_looks_like_them() {
    // The one part's size shows where it ended.
    let cases: &[(&str, u64, u32)] = &[
        ("a\n--bb\n--b--", 7, 1),
        ("a\n --b\n--b--", 7, 1),
        ("a\n-\n--\n--b--", 8, 1),
        ("a--b\n--b--", 4, 1),
        ("a\n\n\n--b--", 5, 1),
        ("a\n--b x\n--b--", 8, 1),
        ("a\n--b \t\n\nrest\n--b--", 1, 2),
        ("\n--b--", 0, 1),
        ("--b--", 0, 1),
        ("a\n--b--   \nrest", 1, 1),
        ("a\n--b--x\n--b--", 9, 1),
    ];
    for (content, size, parts) in cases {
        let body = format!("--b\nContent-Type: x/y\n\n{content}");
        let (facts, anomalies) = skim("multipart/mixed; boundary=b", &body);
        assert_eq!(
            (facts.attachments[0].size_octets, facts.parts),
            (*size, *parts),
            "{content:?}"
        );
        assert!(anomalies.is_empty(), "{content:?}");
    }
}

#[test]
fn bare_line_feeds_end_lines_too() {
    let body = b"--b\nContent-Type: x/y\n\nabc\n--b\n\nx\n--b--";
    for cut in [1, body.len()] {
        let (facts, _) = skim_with("multipart/mixed; boundary=b", &mut body.chunks(cut), &Limits::default());
        assert_eq!(facts.attachments, [attachment(None, "x/y", 3)]);
        assert_eq!(facts.parts, 2);
    }
}

#[test]
fn an_outer_delimiter_ends_inner_parts() {
    let body = "--o\nContent-Type: multipart/mixed; boundary=oo\n\n--oo\nContent-Type: x/y\n\nabc\n--o\n\
        Content-Type: z/z\n\nde\n--oo\nf\n--o--";
    let (facts, anomalies) = skim_multipart("multipart/mixed; boundary=o", body);
    assert_eq!(
        facts.attachments,
        [attachment(None, "x/y", 3), attachment(None, "z/z", 11)]
    );
    assert_eq!((facts.parts, anomalies), (3, only(Anomaly::MimeUnterminated)));
}

#[test]
fn oddities_are_told_and_survived() {
    use Anomaly as A;
    let cases: &[(&str, &str, A, u32, usize)] = &[
        // (content type, body, anomaly, parts, attachments)
        ("multipart/mixed; boundary=b", "--b\n\nabc", A::MimeUnterminated, 1, 0),
        ("multipart/mixed; boundary=b", "--b", A::MimeUnterminated, 1, 0),
        (
            "multipart/mixed; boundary=b",
            "no delimiter at all",
            A::MimeUnterminated,
            0,
            0,
        ),
        ("multipart/mixed; boundary=b", "", A::MimeUnterminated, 0, 0),
        (
            "multipart/mixed; boundary=b",
            "--b\nContent-Type: x/y\n--b--",
            A::MimeUnterminated,
            1,
            1,
        ),
        ("multipart/mixed", "--b\n\nabc\n--b--", A::MimeBoundaryMissing, 1, 0),
        (
            "multipart/mixed; boundary=\"\"",
            "--\n\nabc\n----",
            A::MimeBoundaryMissing,
            1,
            0,
        ),
        ("nonsense", "abc", A::MimeMalformedContentType, 1, 0),
        (
            "multipart/mixed; boundary=b",
            "--b\nContent-Type: junk\n\nabc\n--b--",
            A::MimeMalformedContentType,
            1,
            0,
        ),
        (
            "multipart/mixed; boundary=b",
            "--b\nContent-Transfer-Encoding: junk\nContent-Type: x/y\n\nabc\n--b--",
            A::MimeBadTransferEncoding,
            1,
            1,
        ),
        (
            "multipart/mixed; boundary=b",
            "--b\nContent-Transfer-Encoding: base64\nContent-Type: x/y\n\nQQ--\n--b--",
            A::MimeBadTransferEncoding,
            1,
            1,
        ),
    ];
    for (content_type, body, anomaly, parts, attachments) in cases {
        let (facts, anomalies) = skim(content_type, body);
        // A header that ends in the closing delimiter is whole: nothing is odd about its multipart.
        let expected = if body.ends_with("x/y\n--b--") {
            AnomalySet::default()
        } else {
            only(*anomaly)
        };
        assert_eq!(anomalies, expected, "{content_type} {body}");
        assert_eq!(
            (facts.parts, facts.attachments.len()),
            (*parts, *attachments),
            "{content_type} {body}"
        );
    }
}

#[test]
fn a_part_without_the_empty_line_begins_with_the_line_that_is_no_field() {
    let body = "--b\nContent-Type: x/y\nno field here\nmore\n--b--";
    let (facts, _) = skim_multipart("multipart/mixed; boundary=b", body);
    assert_eq!(facts.attachments, [attachment(None, "x/y", 19)]);
    let nested = "--b\nContent-Type: multipart/mixed; boundary=c\n--c\nContent-Type: x/y\n\nabc\n--c--\n--b--";
    let (facts, _) = skim_multipart("multipart/mixed; boundary=b", nested);
    assert_eq!(facts.attachments, [attachment(None, "x/y", 3)]);
}

#[test]
fn file_names_are_made_safe_and_short() {
    let cases = [
        ("a\u{7}b\u{1b}[0m", Some("a\u{fffd}b\u{fffd}[0m".to_owned())),
        ("  ", None),
        (&*"ü".repeat(2_000), Some("ü".repeat(510))),
    ];
    for (written, expected) in cases {
        let content_type = format!("application/pdf; name=\"{written}\"");
        let (facts, _) = skim(&content_type, "x");
        assert_eq!(facts.attachments[0].filename, expected);
    }
}

#[test]
fn a_loss_costs_the_digest_and_what_it_took() {
    let (interest, limits) = (interest(), Limits::default());
    let mut skimmer = BodySkimmer::new(Some(b"multipart/mixed; boundary=b"), None, None, &limits);
    skimmer.feed(b"--b\r\nContent-Type: x/y\r\n\r\nabc", &interest, &limits);
    skimmer.gap(100);
    skimmer.feed(b"def\r\n--b\r\nContent-Type: z/z\r\nContent-Dispo", &interest, &limits);
    skimmer.gap(100);
    skimmer.feed(
        b"rest of a lost line\r\nfirst line of the body\r\n--b--",
        &interest,
        &limits,
    );
    let (facts, anomalies) = skimmer.finish(&interest, &limits);
    assert_eq!(facts.digest, None);
    assert_eq!(
        facts.attachments,
        [attachment(None, "x/y", 6), attachment(None, "z/z", 22)]
    );
    assert!(anomalies.is_empty());
}

#[test]
fn no_loss_is_no_loss() {
    let (interest, limits) = (interest(), Limits::default());
    let mut skimmer = BodySkimmer::new(None, None, None, &limits);
    skimmer.gap(0);
    assert!(skimmer.finish(&interest, &limits).0.digest.is_some());
}

#[test]
fn ten_thousand_parts_are_counted_and_most_not_looked_at() {
    let limits = Limits::default();
    let body = "--b\r\nContent-Type: x/y\r\n\r\nabc\r\n".repeat(10_000) + "--b--";
    let interest = interest();
    let mut skimmer = BodySkimmer::new(Some(b"multipart/mixed; boundary=b"), None, None, &limits);
    for chunk in body.as_bytes().chunks(1_448) {
        skimmer.feed(chunk, &interest, &limits);
    }
    let (facts, anomalies) = skimmer.finish(&interest, &limits);
    assert_eq!((facts.parts, facts.attachments.len()), (10_000, limits.attachments));
    assert_eq!(anomalies, only(Anomaly::MimeTooManyParts));
    let dropped = (10_000 - limits.mime_parts) + (limits.mime_parts - limits.attachments);
    assert_eq!(skimmer.parts_dropped(), dropped as u64);
}

#[test]
fn a_thousand_levels_are_entered_as_far_as_the_limit_goes() {
    let level = |n: usize| format!("--b{n}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n", n + 1);
    let body: String = (0..1_000).map(level).collect();
    let limits = Limits::default();
    let (facts, anomalies) = skim_with("multipart/mixed; boundary=b0", &mut body.as_bytes().chunks(7), &limits);
    assert_eq!(facts.parts as usize, limits.mime_depth);
    assert!(anomalies.contains(Anomaly::MimeNestedTooDeep));
}

#[test]
fn a_header_without_an_end_is_bounded() {
    let limits = Limits::default();
    let filler = "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(100_000);
    let body = format!("--b\r\nContent-Type: x/y\r\n{filler}\r\nabc\r\n--b--");
    for cut in [1_448, body.len()] {
        let (facts, anomalies) = skim_with("multipart/mixed; boundary=b", &mut body.as_bytes().chunks(cut), &limits);
        assert_eq!(facts.attachments, [attachment(None, "x/y", 3)]);
        assert_eq!(anomalies, only(Anomaly::MimePartHeaderTooLarge));
    }
}

#[test]
fn lines_of_megabytes_and_candidates_by_the_thousand_pass() {
    let boundary = "b".repeat(70);
    let content_type = format!("multipart/mixed; boundary={boundary}");
    let long_line = "x".repeat(4 << 20);
    let near_misses = format!("--{}\r\n", &boundary[..69]).repeat(10_000);
    let hyphens = "\n--".repeat(100_000);
    let nuls = "\0".repeat(10_000);
    for content in [long_line, near_misses, hyphens, nuls] {
        let body = format!("--{boundary}\r\nContent-Type: x/y\r\n\r\n{content}\r\n--{boundary}--");
        for cut in [1_448, body.len()] {
            let (facts, _) = skim_with(&content_type, &mut body.as_bytes().chunks(cut), &Limits::default());
            assert_eq!(facts.attachments, [attachment(None, "x/y", content.len() as u64)]);
        }
    }
}

// ---- generated truth

/// A part as a generator makes it.
#[derive(Clone, Debug)]
enum Made {
    Leaf {
        kind: &'static str,
        name: Option<String>,
        base64: bool,
        content: Vec<u8>,
    },
    Multipart {
        parts: Vec<Made>,
        preamble: bool,
    },
}

fn leaf() -> impl Strategy<Value = Made> {
    let kind = prop::sample::select(&["text/plain", "text/html", "image/png", "message/rfc822"][..]);
    let name = prop::option::of("[a-z]{1,8}\\.[a-z]{3}");
    let content = prop::collection::vec(prop::sample::select(&b"ab -\r\n.!"[..]), 0..60);
    (kind, name, any::<bool>(), content).prop_map(|(kind, name, base64, content)| Made::Leaf {
        kind,
        name,
        base64: base64 && kind != "message/rfc822",
        content,
    })
}

fn multipart() -> impl Strategy<Value = Made> {
    let made = |(parts, preamble)| Made::Multipart { parts, preamble };
    let tree = leaf().prop_recursive(4, 24, 4, move |inner| {
        (prop::collection::vec(inner, 1..4), any::<bool>()).prop_map(made)
    });
    (prop::collection::vec(tree, 1..4), any::<bool>()).prop_map(made)
}

/// Writes *made* and the facts it should give. Boundaries are prefixes of each other on purpose; no content holds one.
fn write(made: &Made, depth: usize, out: &mut Vec<u8>, truth: &mut BodyFacts) {
    match made {
        Made::Leaf {
            kind,
            name,
            base64,
            content,
        } => write_leaf(kind, name.as_deref(), *base64, content, out, truth),
        Made::Multipart { parts, preamble } => {
            let boundary = "=b".repeat(depth + 1);
            out.extend(format!("Content-Type: multipart/mixed;\r\n\tboundary=\"{boundary}\"\r\n\r\n").bytes());
            if *preamble {
                out.extend(b"preamble\r\n");
            }
            for part in parts {
                truth.parts += 1;
                out.extend(format!("--{boundary}\r\n").bytes());
                write(part, depth + 1, out, truth);
                out.extend(b"\r\n");
            }
            out.extend(format!("--{boundary}--\r\n").bytes());
        }
    }
}

fn write_leaf(kind: &str, name: Option<&str>, base64: bool, content: &[u8], out: &mut Vec<u8>, truth: &mut BodyFacts) {
    use base64::Engine;
    out.extend(format!("Content-Type: {kind}\r\n").bytes());
    if let Some(name) = name {
        out.extend(format!("Content-Disposition: attachment;\r\n filename={name}\r\n").bytes());
    }
    if base64 {
        out.extend(b"Content-Transfer-Encoding: base64\r\n\r\n");
        out.extend(base64::engine::general_purpose::STANDARD.encode(content).bytes());
    } else {
        out.extend(b"\r\n");
        out.extend(content);
    }
    truth.attached_messages += u32::from(kind == "message/rfc822");
    if name.is_some() || !kind.starts_with("text/") {
        truth.attachments.push(attachment(name, kind, content.len() as u64));
    }
}

proptest! {
    #[test]
    fn generated_structures_come_back(made in multipart(), cut in 1_usize..100) {
        let mut written = Vec::new();
        let mut truth = BodyFacts { content_type: "multipart/mixed".to_owned(), ..BodyFacts::default() };
        write(&made, 0, &mut written, &mut truth);
        let body = &written[memchr_empty_line(&written)..];
        let content_type = "multipart/mixed; boundary=\"=b\"";
        let (mut facts, anomalies) = skim_with(content_type, &mut body.chunks(cut), &Limits::default());
        prop_assert_eq!(facts.octets, body.len() as u64);
        (facts.digest, facts.octets) = (None, 0);
        prop_assert_eq!(facts, truth);
        prop_assert!(anomalies.is_empty());
    }

    #[test]
    fn cuts_never_change_the_facts(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..60),
        cuts in prop::collection::vec(1_usize..40, 1..10),
    ) {
        let body = words.concat();
        let limits = tight();
        let content_type = "multipart/alternative; boundary=b";
        let whole = skim_with(content_type, &mut std::iter::once(body.as_bytes()), &limits);
        let mut rest = body.as_bytes();
        let mut chunks = cuts.iter().cycle().map_while(|&cut| {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            (!chunk.is_empty()).then_some(chunk)
        });
        prop_assert_eq!(skim_with(content_type, &mut chunks, &limits), whole);
    }

    #[test]
    fn losses_anywhere_are_survived(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..60),
        lost in prop::collection::vec(any::<bool>(), 60),
        cut in 1_usize..40,
    ) {
        let (interest, limits) = (interest(), tight());
        let body = words.concat();
        let mut skimmer = BodySkimmer::new(Some(b"multipart/mixed; boundary=b"), None, None, &limits);
        for (chunk, lost) in body.as_bytes().chunks(cut).zip(lost.iter().cycle()) {
            match lost {
                true => skimmer.gap(chunk.len() as u64),
                false => skimmer.feed(chunk, &interest, &limits),
            }
        }
        let (facts, _) = skimmer.finish(&interest, &limits);
        prop_assert!(facts.attachments.len() <= limits.attachments);
    }

    #[test]
    fn junk_never_panics(body in prop::collection::vec(any::<u8>(), 0..500), content_type in ".{0,60}") {
        let limits = Limits::default();
        skim_with(&content_type, &mut body.chunks(9), &limits);
        skim_with("multipart/mixed; boundary=b", &mut body.chunks(9), &limits);
    }
}

/// Pieces from which bodies are made that are nearly right.
const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "-",
    "--",
    "--b",
    "--b\r\n",
    "\r\n--b\r\n",
    "\r\n--b--",
    "\n--bb\n",
    "--bb--\r\n",
    " ",
    "\t",
    "x",
    ":",
    "=",
    "Content-Type: multipart/alternative; boundary=bb\r\n\r\n",
    "Content-Type: text/html\r\n\r\n",
    "Content-Type: x/y; name=z\r\n",
    "Content-Type: text/calendar\n\n",
    "METHOD:REQUEST\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "=41=\r\n",
    "QUJDQUJD",
    "forwarded message",
    "forwarded <b>message",
    "\0",
    "\u{fc}",
    "Content-Disposition: attachment\r\n",
    "Content-Type: multipart/mixed\r\n\r\n",
    "no field at all, but a line that is longer than the small limits that are set\r\n",
];

/// Bounds that short bodies reach.
fn tight() -> Limits {
    Limits {
        mime_depth: 2,
        mime_parts: 6,
        attachments: 2,
        mime_part_header_octets: 50,
        body_search_octets: 20,
        ..Limits::default()
    }
}

fn memchr_empty_line(written: &[u8]) -> usize {
    let end = written.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(written.len(), |at| at + 4)
}
