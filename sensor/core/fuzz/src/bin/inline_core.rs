//! Sessions and mails in line, in any order and number: records within bounds, errors for what is not open, and asking for
//! what a mail would be recorded as changes nothing of what is recorded.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use core_fuzz::dialogue::{COMMANDS, REPLIES};
use core_fuzz::{check_event, small_limits, Choices, INTEREST};
use libfuzzer_sys::fuzz_target;
use wire::frame::Timestamp;
use wire::inline::mail::{KnownEnvelope, KnownPath, MailEnd};
use wire::inline::{Inline, InlineError, Speaker};
use wire::limits::Limits;
use wire::record::event::{Event, FlowId, Outcome, Protocol, Reply};
use wire::tcp::segment::Endpoint;

const SESSIONS_MAX: usize = 3;
const EVENTS_MAX: usize = 4;

fuzz_target!(|octets: &[u8]| {
    let limits = Limits {
        inline_sessions: SESSIONS_MAX,
        inline_events: EVENTS_MAX,
        ..small_limits()
    };
    let asked = run(octets, &limits, true);
    for event in &asked {
        check_event(event, &limits);
    }
    assert_eq!(asked, run(octets, &limits, false), "asking changed what is told");
});

/// What is told of the acts that *octets* choose; *asks*: what is open is asked for after each.
fn run(octets: &[u8], limits: &Limits, asks: bool) -> Vec<Event> {
    let mut inline = Inline::new(Arc::clone(&INTEREST), limits.clone());
    let mut choices = Choices(octets);
    let mut told = Vec::new();
    while let Some(kind) = choices.octet() {
        // Small numbers, so that most are open.
        let number = u64::from(kind >> 5);
        let at = Timestamp(i64::from(choices.number()));
        let done = act(&mut inline, kind, number, at, &mut choices);
        assert!(matches!(
            done,
            Ok(()) | Err(InlineError::NoSession(_) | InlineError::NoMail(_) | InlineError::Full)
        ));
        assert!(inline.waiting() <= EVENTS_MAX);
        if asks {
            ask(&inline, limits);
        }
        if kind % 13 == 0 {
            told.extend(inline.take());
        }
    }
    told.extend(inline.take());
    told
}

fn act(
    inline: &mut Inline,
    kind: u8,
    number: u64,
    at: Timestamp,
    choices: &mut Choices<'_>,
) -> Result<(), InlineError> {
    match kind % 11 {
        0 => inline.open(end(1), end(2), at).map(drop),
        1 => inline.begin(envelope(at, choices)).map(drop),
        2 => inline.secured(number, at),
        3 => inline.close(number, at),
        4 => inline.end(number, mail_end(at, choices)),
        5 => {
            let octets = own(choices);
            inline.content(number, octets)
        }
        6 => {
            let octets = own(choices);
            inline.feed(number, octets, Speaker::Client, at)
        }
        7 | 8 => inline.feed(number, chosen(COMMANDS, choices), Speaker::Client, at),
        _ => inline.feed(number, chosen(REPLIES, choices), Speaker::Server, at),
    }
}

fn ask(inline: &Inline, limits: &Limits) {
    for number in 0..8 {
        let session = inline.provisional(number).ok().flatten();
        let mail = inline.drafted(number).ok();
        for transaction in session.into_iter().chain(mail) {
            assert_eq!(transaction.outcome, Outcome::Delivered);
            check_event(&Event::Transaction(Box::new(transaction)), limits);
        }
    }
}

fn own<'a>(choices: &mut Choices<'a>) -> &'a [u8] {
    let length = usize::from(choices.octet().unwrap_or(0));
    choices.octets(length)
}

fn chosen(phrases: &'static [&'static [u8]], choices: &mut Choices<'_>) -> &'static [u8] {
    phrases[usize::from(choices.octet().unwrap_or(0)) % phrases.len()]
}

fn text(choices: &mut Choices<'_>) -> Option<String> {
    let octets = own(choices);
    (!octets.is_empty()).then(|| String::from_utf8_lossy(octets).into_owned())
}

fn code(choices: &mut Choices<'_>) -> Option<u16> {
    [None, Some(250), Some(450), Some(550)][usize::from(choices.octet().unwrap_or(0) % 4)]
}

fn envelope(at: Timestamp, choices: &mut Choices<'_>) -> KnownEnvelope {
    let count = choices.octet().unwrap_or(0) % 6;
    KnownEnvelope {
        flow: FlowId {
            client: end(1),
            server: end(2),
            started_at: at,
        },
        started_at: at,
        protocol: Some(Protocol::Esmtp).filter(|_| count > 1),
        helo: text(choices),
        auth_user: text(choices),
        tls: count == 2,
        client_ip: None,
        transaction_index: u32::from(count),
        reverse_path: text(choices),
        parameters: (0..count)
            .map(|_| (text(choices).unwrap_or_default(), text(choices)))
            .collect(),
        forward_paths: (0..count).map(|_| path(choices)).collect(),
    }
}

fn path(choices: &mut Choices<'_>) -> KnownPath {
    let reply_code = code(choices);
    KnownPath {
        address: text(choices).unwrap_or_default(),
        reply_code,
        enhanced: text(choices),
        accepted: reply_code == Some(250),
        orcpt: text(choices),
    }
}

fn mail_end(at: Timestamp, choices: &mut Choices<'_>) -> MailEnd {
    let outcomes = [
        Outcome::Delivered,
        Outcome::Rejected,
        Outcome::Deferred,
        Outcome::Aborted,
        Outcome::Unknown,
    ];
    let choice = choices.octet().unwrap_or(0);
    MailEnd {
        at,
        outcome: outcomes[usize::from(choice) % outcomes.len()],
        reply: code(choices).map(|code| Reply {
            code,
            enhanced: text(choices),
            text: text(choices).unwrap_or_default(),
        }),
        truncated: choice > 127,
    }
}

fn end(last: u8) -> Endpoint {
    Endpoint {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        port: 25,
    }
}
