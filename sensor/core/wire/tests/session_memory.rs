//! The bound on what all sessions hold together: it holds, whatever is held, and what is shed is told.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use wire::anomaly::Anomaly;
use wire::frame::Timestamp;
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::record::event::{Event, FlowId, Outcome, Transaction};
use wire::smtp::context::Context;
use wire::smtp::session::{Beginning, Ending, Session};
use wire::tcp::segment::Endpoint;

const AT: Timestamp = Timestamp(2_000);
const SHARE: usize = 2_048;

fn context(session_octets: usize) -> Context {
    let limits = Limits {
        session_octets,
        flows: session_octets / SHARE,
        ..Limits::default()
    };
    Context::new(Arc::new(Interest::new(&InterestSpec::default()).unwrap()), limits)
}

fn open(context: &mut Context) -> Session {
    let end = |last: u8, port| Endpoint {
        address: IpAddr::from([192, 0, 2, last]),
        port,
    };
    let flow = FlowId {
        client: end(1, 40_000),
        server: end(2, 25),
        started_at: Timestamp(1_000),
    };
    Session::new(flow, Beginning::Start, context)
}

/// What a client may say to make a session hold much, and never end.
fn holding(what: usize) -> (&'static str, String) {
    let recipients = "RCPT TO:<someone.or.other@dst.example>\r\n";
    match what {
        0 => (
            "header section",
            format!("Subject: large\r\nX-Flood: {}", "x\r\n ".repeat(20_000)),
        ),
        1 => ("line of content that is a field", "Subject: large\r\n".repeat(10_000)),
        2 => ("recipients", recipients.repeat(5_000)),
        3 => ("a command line", format!("NOOP {}", "x".repeat(16_000))),
        4 => ("unanswered commands", "NOOP\r\n".repeat(9_000)),
        5 => ("octets behind AUTH", format!("AUTH LOGIN\r\n{}", "x".repeat(60_000))),
        6 => (
            "octets behind a false end",
            format!("\n.\nMAIL FROM:<a@b>\r\n{}", "x".repeat(60_000)),
        ),
        7 => ("transactions", "MAIL FROM:<a@b>\r\nRSET\r\n".repeat(4_000)),
        8 => (
            "second MAILs",
            format!("MAIL FROM:<{}@b> X=y\r\n", "x".repeat(4_000)).repeat(100),
        ),
        9 => (
            "attachments",
            "\r\n--b\r\nContent-Disposition: attachment; filename=x\r\n\r\n.x\r\n".repeat(100),
        ),
        _ => ("a name", format!("EHLO {}\r\n", "x".repeat(16_000))),
    }
}

/// A session that holds what *holding* says, in content where that belongs there.
fn hold(what: usize, context: &mut Context) -> Session {
    let mut session = open(context);
    session.server(b"220 mx ESMTP\r\n", AT, context);
    session.client(b"EHLO x\r\n", AT, context);
    session.server(b"250 PIPELINING\r\n", AT, context);
    session.client(
        b"MAIL FROM:<ann@src.example>\r\nRCPT TO:<bob@dst.example>\r\n",
        AT,
        context,
    );
    session.server(b"250 ok\r\n250 ok\r\n", AT, context);
    if matches!(what, 0 | 1 | 6 | 9) {
        session.client(b"DATA\r\n", AT, context);
        session.server(b"354 go\r\n", AT, context);
    }
    match what {
        6 => session.client(b"Subject: x\r\n\r\n", AT, context),
        9 => session.client(b"Content-Type: multipart/mixed; boundary=b\r\n", AT, context),
        _ => {}
    }
    for segment in holding(what).1.as_bytes().chunks(1_448) {
        session.client(segment, AT, context);
    }
    session
}

fn transactions(context: &Context) -> Vec<&Transaction> {
    context
        .events
        .iter()
        .map(|event| match event {
            Event::Transaction(transaction) => transaction.as_ref(),
            Event::Session(session) => panic!("{session:?}"),
        })
        .collect()
}

#[test]
fn whatever_many_sessions_hold_stays_within_the_bound_and_is_told() {
    const BOUND: usize = 1 << 20;
    for what in 0..11 {
        let mut context = context(BOUND);
        let mut sessions: Vec<Session> = Vec::new();
        for _ in 0..200 {
            sessions.push(hold(what, &mut context));
            let most = BOUND + sessions.len() * SHARE + (128 << 10);
            assert!(
                context.held_octets() <= most,
                "{}: {}",
                holding(what).0,
                context.held_octets()
            );
        }
        assert!(context.counters.session_octets_shed > 0, "{}", holding(what).0);
        for session in &mut sessions {
            session.close(Ending::Unseen, AT, &mut context);
        }
        assert_eq!(context.held_octets(), 0, "{}", holding(what).0);
        let shed = |mail: &&&Transaction| mail.anomalies.contains(Anomaly::SmtpSessionShed);
        let all = transactions(&context);
        assert!(all.iter().filter(shed).count() > 0, "{}", holding(what).0);
        assert!(all.iter().filter(shed).all(|mail| mail.completeness.truncated));
        // Every envelope is told, once.
        let envelopes = |mail: &&&Transaction| mail.reverse_path.as_deref() == Some("ann@src.example");
        assert_eq!(all.iter().filter(envelopes).count(), 200, "{}", holding(what).0);
    }
}

#[test]
fn at_the_bound_a_small_mail_is_told_whole_and_a_large_header_is_shed_before_its_envelope() {
    let mut context = context(1 << 20);
    let _others: Vec<Session> = (0..60).map(|_| hold(2, &mut context)).collect();
    assert!(context.held_octets() > 900 << 10);
    context.events.clear();
    for (size, whole) in [(1, true), (500, false)] {
        let mut session = open(&mut context);
        let header = "X-Line: some text\r\n".repeat(size);
        session.server(b"220 mx ESMTP\r\n", AT, &mut context);
        session.client(b"HELO x\r\n", AT, &mut context);
        session.server(b"250 ok\r\n", AT, &mut context);
        session.client(b"MAIL FROM:<ann@src.example>\r\n", AT, &mut context);
        session.server(b"250 ok\r\n", AT, &mut context);
        session.client(b"RCPT TO:<bob@dst.example>\r\n", AT, &mut context);
        session.server(b"250 ok\r\n", AT, &mut context);
        session.client(b"DATA\r\n", AT, &mut context);
        session.server(b"354 ok\r\n", AT, &mut context);
        session.client(format!("Subject: x\r\n{header}").as_bytes(), AT, &mut context);
        session.client(b"\r\ntext\r\n.\r\n", AT, &mut context);
        session.server(b"250 taken\r\n", AT, &mut context);
        session.close(Ending::Closed, AT, &mut context);
        let mails = transactions(&context);
        let [mail] = mails.as_slice() else { panic!("{mails:#?}") };
        assert_eq!((mail.outcome, mail.forward_paths.len()), (Outcome::Delivered, 1));
        assert_eq!(mail.completeness.truncated, !whole);
        assert_eq!(mail.anomalies.contains(Anomaly::SmtpSessionShed), !whole);
        let facts = mail.message.as_ref().unwrap();
        assert_eq!(facts.header.subject.as_deref(), Some("x"));
        assert_eq!(facts.body.digest.is_some(), whole);
        assert_eq!(facts.size_octets, 12 + header.len() as u64 + 8);
        context.events.clear();
    }
}

#[derive(Clone, Debug)]
enum Turn {
    Client(Vec<u8>),
    Server(Vec<u8>),
    ClientGap(u64),
    ServerGap(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    let said = prop::sample::select(vec![
        "EHLO x\r\n",
        "MAIL FROM:<a@b>\r\n",
        "RCPT TO:<c@d>\r\n",
        "DATA\r\n",
        "AUTH LOGIN\r\n",
        "BDAT 9 LAST\r\n",
        "STARTTLS\r\n",
        "RSET\r\n",
        "Subject: x\r\n",
        "\r\n",
        "\n.\n",
        ".\r\n",
        "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    ]);
    let replies = prop::sample::select(vec![
        "250 ok\r\n",
        "354 go\r\n",
        "220 mx\r\n",
        "334 \r\n",
        "550 5.1.1 no\r\n",
        "25",
    ]);
    prop_oneof![
        4 => prop::collection::vec(said, 1..6).prop_map(|said| Turn::Client(said.concat().into_bytes())),
        3 => prop::collection::vec(replies, 1..4).prop_map(|said| Turn::Server(said.concat().into_bytes())),
        1 => (1_u64..50).prop_map(Turn::ClientGap),
        1 => (1_u64..50).prop_map(Turn::ServerGap),
    ]
}

proptest! {
    #[test]
    fn what_is_accounted_returns_to_nothing_whatever_is_said(turns in prop::collection::vec(turn(), 0..40), bound in 0_usize..400) {
        let mut context = context(1 << 20);
        (context.limits.session_octets, context.limits.flows) = (bound, 4);
        let mut session = open(&mut context);
        for turn in &turns {
            match turn {
                Turn::Client(octets) => session.client(octets, AT, &mut context),
                Turn::Server(octets) => session.server(octets, AT, &mut context),
                Turn::ClientGap(octets) => session.client_gap(*octets, AT, &mut context),
                Turn::ServerGap(octets) => session.server_gap(*octets, AT, &mut context),
            }
            prop_assert!(context.held_octets() <= bound.max(120), "{}", context.held_octets());
        }
        session.close(Ending::Closed, AT, &mut context);
        prop_assert_eq!(context.held_octets(), 0);
    }
}
