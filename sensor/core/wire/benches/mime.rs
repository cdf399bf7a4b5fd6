//! What a body costs, fed as a span port delivers it: in chunks of 1,448 octets, the payload of a common TCP segment.

#![allow(missing_docs, clippy::panic)]

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use wire::content::ContentReader;
use wire::counters::Counters;
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::mime::BodySkimmer;

const SEGMENT_OCTETS: usize = 1_448;
const BOUNDARY: &str = "----=_Part_4711_0815.1234567890";

fn interest(marks: usize) -> Interest {
    const PHRASES: [&str; 8] = [
        "---------- Forwarded message",
        "-----Original Message-----",
        "Begin forwarded message:",
        "divRplyFwdMsg",
        "gmail_quote",
        "-------- Weitergeleitete Nachricht",
        "Message transféré",
        "Mensaje reenviado",
    ];
    let numbered = |n: usize| {
        format!(
            "{}{}",
            PHRASES[n % 8],
            if n < 8 { String::new() } else { n.to_string() }
        )
    };
    let spec = InterestSpec {
        body_marks: (0..marks).map(numbered).collect(),
        ..InterestSpec::default()
    };
    Interest::new(&spec).unwrap_or_else(|error| panic!("{error}"))
}

fn skim(content_type: &str, body: &[u8], interest: &Interest, limits: &Limits) {
    let mut skimmer = BodySkimmer::new(Some(content_type.as_bytes()), None, None, limits);
    for chunk in body.chunks(SEGMENT_OCTETS) {
        skimmer.feed(chunk, interest, limits);
    }
    black_box(skimmer.finish(interest, limits));
}

fn base64_lines(octets: usize) -> String {
    let line = "JVBERi0xLjcKJeLjz9MKMSAwIG9iago8PC9UeXBlL0NhdGFsb2cvUGFnZXMgMiAwIFI+PgplbmRv\r\n";
    line.repeat(octets / line.len())
}

fn prose(octets: usize) -> String {
    let line =
        "The quick brown fox jumps over the lazy dog, and then has a rest -- so it should, for it was a long day.\r\n";
    line.repeat(octets / line.len())
}

fn with_attachment(text: &str, attachment: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--{BOUNDARY}\r\n\
         Content-Type: application/pdf; name=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n{attachment}--{BOUNDARY}--\r\n"
    )
}

fn bodies(c: &mut Criterion) {
    let multipart = format!("multipart/mixed; boundary=\"{BOUNDARY}\"");
    let alternative_type = format!("multipart/alternative; boundary=\"{BOUNDARY}\"");
    let alternative = format!(
        "--{BOUNDARY}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n--{BOUNDARY}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<div><p>{}</p></div>\r\n--{BOUNDARY}--\r\n",
        prose(1_200),
        prose(2_400).replace("and", "<b>and</b>&nbsp;")
    );
    let cases = [
        (
            "base64_1m",
            multipart.as_str(),
            with_attachment("", &base64_lines(1 << 20)),
        ),
        (
            "base64_40k",
            &multipart,
            with_attachment(&prose(1_000), &base64_lines(39_000)),
        ),
        ("text_1m", &multipart, with_attachment(&prose(1 << 20), "")),
        ("single_text_1m", "text/plain", prose(1 << 20)),
        ("single_text_2k", "text/plain", prose(2_048)),
        ("alternative_4k", &alternative_type, alternative),
        (
            "hostile_hyphens_1m",
            &multipart,
            with_attachment("", &"\n--".repeat(350_000)),
        ),
    ];
    let limits = Limits::default();
    let mut group = c.benchmark_group("mime");
    for marks in [0, 40] {
        let interest = interest(marks);
        for (name, content_type, body) in &cases {
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(BenchmarkId::new(*name, format!("{marks}_marks")), |b| {
                b.iter(|| skim(content_type, black_box(body.as_bytes()), &interest, &limits));
            });
        }
    }
    group.finish();
}

/// A whole small mail: header section, text, facts.
fn whole_mails(c: &mut Criterion) {
    let received =
        "Received: from mx1.example.net (mx1.example.net [192.0.2.1])\r\n\tby mx2.corp.example (Postfix) with \
                    ESMTPS id 4XyZ1234\r\n\tfor <ann@corp.example>; Sun, 22 Nov 2026 01:00:00 +0000 (UTC)\r\n";
    let mail = format!(
        "{}From: Bob <bob@example.net>\r\nTo: Ann <ann@corp.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
         Date: Sun, 22 Nov 2026 00:59:58 +0000\r\nMessage-ID: <4711.0815@example.net>\r\nMIME-Version: 1.0\r\n\
         X-Mailer: Something 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}",
        received.repeat(4),
        prose(2_500)
    );
    let limits = Limits::default();
    let interest = interest(40);
    let mut group = c.benchmark_group("content");
    group.throughput(Throughput::Bytes(mail.len() as u64));
    group.bench_function("small_mail", |b| {
        let mut reader = ContentReader::new(&limits);
        b.iter(|| {
            reader.restart();
            for chunk in black_box(mail.as_bytes()).chunks(SEGMENT_OCTETS) {
                reader.feed(chunk, &interest, &limits);
            }
            black_box(reader.finish(
                &wire::structure::Envelope::default(),
                &interest,
                &limits,
                &mut Counters::default(),
            ))
        });
    });
    group.finish();
}

criterion_group!(benches, bodies, whole_mails);
criterion_main!(benches);
