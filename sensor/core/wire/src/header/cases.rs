//! The cases of `tests/data/headers/`: one file for each parsed field, read here and by the Python tests.
//!
//! A case has a name, a kind, the lines of a header section (`raw` as UTF-8, or `raw_latin1` with one character an octet),
//! perhaps what the artifact table names (`fields`, `subject_prefixes`), the facts expected of it (those not named are not
//! compared; in Received lines absent clauses are not named), and all its anomalies.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{json, Map, Value};

use super::collector::{Collected, Collector};
use super::{parse_section, trace, HeaderFacts, Slot};
use crate::anomaly::AnomalySet;
use crate::interest::{Interest, InterestSpec};
use crate::limits::Limits;
use crate::message::{Header, Received};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/headers")
}

fn cases(file: &str) -> Vec<Value> {
    let path = folder().join(file).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all_cases() -> Vec<Value> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|path| cases(path.file_name().unwrap().to_str().unwrap()))
        .collect()
}

fn raw(case: &Value) -> Vec<u8> {
    match case["raw_latin1"].as_str() {
        Some(text) => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
        None => case["raw"].as_str().unwrap().as_bytes().to_vec(),
    }
}

fn interest(case: &Value) -> Interest {
    let texts = |key: &str| -> Vec<String> {
        let list = case[key].as_array().into_iter().flatten();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let spec = InterestSpec {
        fields: texts("fields"),
        subject_prefixes: texts("subject_prefixes"),
        ..InterestSpec::default()
    };
    Interest::new(&spec).unwrap()
}

fn header_json(header: &Header) -> Map<String, Value> {
    let Value::Object(map) = json!({
        "message_id": header.message_id,
        "from": header.from,
        "sender": header.sender,
        "to": header.to,
        "cc": header.cc,
        "reply_to": header.reply_to,
        "subject": header.subject,
        "date": header.date,
        "in_reply_to": header.in_reply_to,
        "references": header.references,
        "resent_from": header.resent_from,
        "delivered_to": header.delivered_to,
        "list_id": header.list_id,
        "auto_submitted": header.auto_submitted,
        "received_count": header.received_count,
        "thread_topic": header.thread_topic,
    }) else {
        unreachable!()
    };
    map
}

fn received_json(received: &Received) -> Value {
    let clauses = [
        ("from", &received.from),
        ("from_ip", &received.from_ip),
        ("by", &received.by),
        ("with", &received.with),
        ("id", &received.id),
        ("for_address", &received.for_address),
        ("date", &received.date),
    ];
    let told = clauses
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    Value::Object(told.collect())
}

fn facts_json(facts: &HeaderFacts<'_>, trace: &[Received]) -> Map<String, Value> {
    let mut map = header_json(&facts.header);
    let received: Vec<Value> = trace.iter().map(received_json).collect();
    let fields = facts.fields.iter().map(|field| {
        json!({"name": field.name, "value": field.value, "position": field.position, "received_above": field.received_above})
    });
    let content = [
        ("content_type", facts.content.content_type),
        ("transfer_encoding", facts.content.transfer_encoding),
        ("disposition", facts.content.disposition),
        ("mime_version", facts.content.mime_version),
    ];
    let content = content
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(std::str::from_utf8(value?).ok()?))));
    map.insert("received".to_owned(), json!(received));
    map.insert("fields".to_owned(), fields.collect());
    map.insert("content".to_owned(), Value::Object(content.collect()));
    map.insert("touched".to_owned(), json!(facts.touched));
    map
}

fn check(case: &Value, section: &[u8], how: &str) {
    let mut facts = parse_section(section, &interest(case), &Limits::default());
    let trace = trace(section, &Limits::default(), &mut facts.anomalies);
    let found = facts_json(&facts, &trace);
    for (name, expected) in case["expected"].as_object().unwrap() {
        assert_eq!(&found[name], expected, "{name} of {}, {how}", case["name"]);
    }
    let anomalies: Vec<&str> = facts.anomalies.iter().map(|anomaly| anomaly.slug()).collect();
    assert_eq!(json!(anomalies), case["anomalies"], "{}, {how}", case["name"]);
}

/// The section of *content* as a collector finds it, fed *size* octets at a time.
fn collected(content: &[u8], size: usize) -> Vec<u8> {
    let mut collector = Collector::new(&Limits::default());
    for chunk in content.chunks(size) {
        if let Collected::Complete { section, .. } = collector.feed(chunk) {
            return section.to_vec();
        }
    }
    panic!("no end of the header section")
}

#[test]
fn every_case_holds_whole_octet_by_octet_and_with_a_tail() {
    let cases = all_cases();
    assert!(cases.len() > 200);
    for case in cases {
        let raw = raw(&case);
        check(&case, &raw, "alone");
        let content = [&raw, b"\r\nSubject: this is body\r\n\r\n".as_slice()].concat();
        check(&case, &collected(&content, usize::MAX), "with a body");
        check(&case, &collected(&content, 1), "octet by octet");
    }
}

/// CRLF and LF tell the same.
#[test]
fn line_ends_do_not_matter() {
    for case in all_cases() {
        let raw = raw(&case);
        let Ok(text) = std::str::from_utf8(&raw) else {
            continue;
        };
        let text = text.replace("\r\n", "\n");
        if !text.contains('\r') && case["expected"].get("content").is_none() {
            check(&case, text.as_bytes(), "with LF");
        }
    }
}

#[test]
fn every_parsed_field_has_its_file_with_cases_of_every_kind() {
    for (slot, name) in Slot::ALL {
        let cases = cases(std::str::from_utf8(name).unwrap());
        for kind in ["happy", "folded", "obsolete", "hostile"] {
            assert!(
                cases.iter().any(|case| case["kind"] == kind),
                "{slot:?} has no {kind} case"
            );
        }
        assert!(name.len() <= super::LONGEST_NAME && name.to_ascii_lowercase() == *name);
        assert_eq!(
            super::lookup(&name.to_ascii_uppercase()).map(|(slot, _)| slot),
            Some(*slot)
        );
    }
    assert!(Slot::ALL.len() <= 32, "the slots seen are bits of a u32");
}

/// Every fact of a header is filled by some case, so no slot of the table can lead astray.
#[test]
fn every_fact_is_filled_by_some_case() {
    let empty = facts_json(&HeaderFacts::default(), &[]);
    for name in empty.keys() {
        let is_filled = |case: &Value| case["expected"].get(name).is_some_and(|value| *value != empty[name]);
        assert!(all_cases().iter().any(is_filled), "{name}");
    }
}

#[test]
fn whom_the_hops_took_the_mail_for_is_told_topmost_first_and_the_first_other_one() {
    let cases: &[(&[&str], [Option<&str>; 2])] = &[
        (&[], [None, None]),
        (&["by a.example id 1"], [None, None]),
        (
            &["by a.example id 1", "by b.example for <x@a.example>"],
            [Some("x@a.example"), None],
        ),
        (
            &["by a.example for <x@a.example>", "by b.example for X@A.example; Sun"],
            [Some("x@a.example"), None],
        ),
        (
            &[
                "by a.example for <x@a.example>",
                "by b.example for <X@a.example>",
                "by c.example id 2",
                "by d.example for <y@a.example>",
                "by e.example for <z@a.example>",
            ],
            [Some("x@a.example"), Some("y@a.example")],
        ),
    ];
    for (lines, expected) in cases {
        let section: String = lines.iter().map(|line| format!("Received: {line}\r\n")).collect();
        let read = parse_section(section.as_bytes(), &interest(&json!({})), &Limits::default());
        let told = read
            .received_for
            .map(|address| address.map(|octets| std::str::from_utf8(octets).unwrap()));
        assert_eq!(told, *expected, "{lines:?}");
    }
}

/// The values of one field with a fold put at the *at*th blank of the section; none if it has not that many.
fn refolded(raw: &str, at: usize) -> Option<String> {
    let blanks: Vec<usize> = raw.match_indices(' ').map(|(at, _)| at).collect();
    let &blank = blanks.get(at % blanks.len().max(1))?;
    Some(format!("{}\r\n{}", &raw[..blank], &raw[blank..]))
}

const ORDINARY: &str = "Received: from a.example (b.example [192.0.2.1] (x y)) by c.example (Postfix) with ESMTPS id 1 for <d@e.example>; Sun, 22 Nov 2026 01:04:17 +0100 (CET)
From: \"Last, First\" <ann@corp.example> (comment (nested))
To: Team: a@x.example, \"b c\" <b@y.example>; , d@z.example
Subject: A =?utf-8?Q?b?= =?utf-8?Q?c?= =?iso-8859-1?B?6Q==?= d
Date: Sun, 22 Nov 2026 01:04:17 +0100
References: <1@x> <2@x>
List-Id: A list <list.example>
Auto-Submitted: auto-generated (x y); a=b
X-Loop: one two three
";

proptest! {
    #[test]
    fn folding_at_any_blank_changes_nothing(at: Vec<usize>) {
        let interest = interest(&json!({"fields": ["X-Loop"]}));
        let limits = Limits::default();
        let expected = parse_section(ORDINARY.as_bytes(), &interest, &limits);
        let mut folded = ORDINARY.to_owned();
        for at in at.into_iter().take(12) {
            let candidate = refolded(&folded, at).unwrap();
            // A fold may not leave a line of blanks, nor stand before the value: that is another layout of the field.
            if !["\n \r\n", "\r\n\r\n", ":\r\n"].iter().any(|odd| candidate.contains(odd)) {
                folded = candidate;
            }
        }
        let found = parse_section(folded.as_bytes(), &interest, &limits);
        prop_assert_eq!(found, expected, "{}", folded);
        let trace = |section: &str| trace(section.as_bytes(), &limits, &mut AnomalySet::default());
        prop_assert_eq!(trace(&folded), trace(ORDINARY), "{}", folded);
    }

    #[test]
    fn any_octets_are_read(raw: Vec<u8>, name in 0..Slot::ALL.len()) {
        let section = [Slot::ALL[name].1, b":", raw.as_slice(), b"\r\n"].concat();
        let _ = parse_section(&section, &interest(&json!({"fields": ["subject"]})), &Limits::default());
        let _ = trace(&section, &Limits::default(), &mut AnomalySet::default());
    }

    /// Octets that mean something to the parsers, in any order.
    #[test]
    fn any_syntax_is_read(raw in "([<>@,;:()\"\\[\\]\\\\.=?]|=\\?utf-8\\?q\\?|\\?=|from |by |for |22 Nov 2026 01:04 |a|\r\n |\0){0,40}", name in 0..Slot::ALL.len()) {
        let section = [Slot::ALL[name].1, b":", raw.as_bytes(), b"\r\n"].concat();
        let _ = parse_section(&section, &interest(&json!({"fields": ["subject"]})), &Limits::default());
        let _ = trace(&section, &Limits::default(), &mut AnomalySet::default());
    }
}

/// The best of three runs over 200 KB stays under 200 ms, a microsecond an octet: hundreds of times what linear work takes
/// in a debug build, and less than even a vectorised search repeated from every octet.
#[test]
fn hostile_nesting_costs_linear_time() {
    let patterns = [
        "(",
        "<",
        "\"",
        "[",
        "=?",
        "=?u?q?x ",
        "@",
        "<a@b",
        "a@b ",
        "\\",
        "(a) ",
        ",",
        ";",
        "\r\n ",
        "\r",
        "from (",
        "for <",
        "<a@b>,",
        "a@b <",
        "=?u?q?=?=",
    ];
    let none = interest(&json!({}));
    let limits = Limits {
        header_field_octets: usize::MAX,
        ..Limits::default()
    };
    for pattern in patterns {
        for (_, name) in Slot::ALL {
            let time = |octets: usize| {
                let section = [name, b":".as_slice(), pattern.repeat(octets / pattern.len()).as_bytes()].concat();
                let run = || {
                    let start = std::time::Instant::now();
                    let _ = parse_section(&section, &none, &limits);
                    start.elapsed()
                };
                (0..3).map(|_| run()).min().unwrap_or_default()
            };
            assert!(
                time(200_000).as_millis() < 200,
                "{pattern:?} in {}",
                String::from_utf8_lossy(name)
            );
        }
    }
}
