//! Sessions as dialogues: what each side says, line by line, and the records that must come of it.
//!
//! Every dialogue is run whole and octet by octet; the records must be the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;
use std::sync::Arc;

use wire::frame::Timestamp;
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::record::event::{Event, FlowId, Outcome, Protocol, TlsSession, Transaction};
use wire::smtp::context::Context;
use wire::smtp::session::{Beginning, Ending, Session};
use wire::tcp::segment::Endpoint;

#[derive(Clone, Debug)]
enum Turn {
    Client(Vec<u8>),
    Server(Vec<u8>),
    ClientGap(u64),
    ServerGap(u64),
}

fn flow() -> FlowId {
    let end = |last: u8, port| Endpoint {
        address: IpAddr::from([192, 0, 2, last]),
        port,
    };
    FlowId {
        client: end(1, 40_000),
        server: end(2, 25),
        started_at: Timestamp(1_000),
    }
}

fn context() -> Context {
    Context::new(
        Arc::new(Interest::new(&InterestSpec::default()).unwrap()),
        Limits::default(),
    )
}

fn run(beginning: Beginning, turns: &[Turn], piece: usize, ending: Ending) -> Vec<Event> {
    run_within(Limits::default(), beginning, turns, piece, ending)
}

fn run_within(limits: Limits, beginning: Beginning, turns: &[Turn], piece: usize, ending: Ending) -> Vec<Event> {
    let mut context = context();
    context.limits = limits;
    let mut session = Session::new(flow(), beginning, &mut context);
    for (number, turn) in turns.iter().enumerate() {
        let at = Timestamp(2_000 + number as i64);
        match turn {
            Turn::Client(octets) => octets
                .chunks(piece)
                .for_each(|chunk| session.client(chunk, at, &mut context)),
            Turn::Server(octets) => octets
                .chunks(piece)
                .for_each(|chunk| session.server(chunk, at, &mut context)),
            Turn::ClientGap(octets) => session.client_gap(*octets, at, &mut context),
            Turn::ServerGap(octets) => session.server_gap(*octets, at, &mut context),
        }
    }
    session.close(ending, Timestamp(0), &mut context);
    context.events
}

/// Reads a script: `C:` and `S:` lines get CRLF; `c:`/`s:` are raw with \r\n escapes; `C-n`/`S-n` are gaps; `|` joins the next turn's octets.
fn script(text: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        let (tag, rest) = line.split_at(2);
        let raw = |rest: &str| rest.trim_start().replace("\\r", "\r").replace("\\n", "\n").into_bytes();
        let whole = |rest: &str| format!("{}\r\n", rest.strip_prefix(' ').unwrap_or(rest)).into_bytes();
        let turn = match tag {
            "C:" => Turn::Client(whole(rest)),
            "S:" => Turn::Server(whole(rest)),
            "c:" => Turn::Client(raw(rest)),
            "s:" => Turn::Server(raw(rest)),
            "C-" => Turn::ClientGap(rest.parse().unwrap()),
            "S-" => Turn::ServerGap(rest.parse().unwrap()),
            "+:" => {
                // Joins the client's previous turn: one segment.
                let Some(Turn::Client(before)) = turns.last_mut() else {
                    panic!("nothing to join")
                };
                before.extend_from_slice(&whole(rest));
                continue;
            }
            _ => panic!("unknown tag in {line:?}"),
        };
        turns.push(turn);
    }
    turns
}

fn events(beginning: Beginning, text: &str, ending: Ending) -> Vec<Event> {
    let turns = script(text);
    let whole = run(beginning, &turns, usize::MAX, ending);
    assert_eq!(run(beginning, &turns, 1, ending), whole, "octet by octet");
    whole
}

fn transactions(text: &str) -> Vec<Transaction> {
    only_transactions(events(Beginning::Start, text, Ending::Closed))
}

fn only_transactions(events: Vec<Event>) -> Vec<Transaction> {
    events
        .into_iter()
        .map(|event| match event {
            Event::Transaction(transaction) => *transaction,
            Event::Session(session) => panic!("a session record: {session:?}"),
        })
        .collect()
}

fn one(text: &str) -> Transaction {
    let mut all = transactions(text);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn verdicts(transaction: &Transaction) -> Vec<(&str, Option<u16>, bool)> {
    transaction
        .forward_paths
        .iter()
        .map(|path| (path.address.as_str(), path.reply_code, path.accepted))
        .collect()
}

fn slugs(transaction: &Transaction) -> Vec<&'static str> {
    transaction.anomalies.iter().map(|anomaly| anomaly.slug()).collect()
}

const HELLO: &str = "S: 220 mx ESMTP
C: EHLO out.example
S: 250-mx
S: 250-PIPELINING
S: 250 CHUNKING
";

const MAIL: &str = "C: MAIL FROM:<ann@corp.example>
S: 250 2.1.0 Ok
C: RCPT TO:<bob@dst.example>
S: 250 2.1.5 Ok
C: DATA
S: 354 go
c: Subject: x\\r\\n\\r\\nhello\\r\\n.\\r\\n
S: 250 2.0.0 queued as 1
";

fn with_hello(text: &str) -> String {
    format!("{HELLO}{text}")
}

#[test]
fn a_plain_mail_is_delivered() {
    let mail = one(&with_hello(&format!("{MAIL}C: QUIT\nS: 221 bye\n")));
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert_eq!(mail.reverse_path.as_deref(), Some("ann@corp.example"));
    assert_eq!(verdicts(&mail), [("bob@dst.example", Some(250), true)]);
    assert_eq!(mail.session.helo.as_deref(), Some("out.example"));
    assert_eq!(mail.session.protocol, Some(Protocol::Esmtp));
    assert_eq!(mail.message.as_ref().unwrap().size_octets, 21);
    assert_eq!(mail.reply.as_ref().unwrap().enhanced.as_deref(), Some("2.0.0"));
    assert_eq!(slugs(&mail), [""; 0]);
    assert_eq!(mail.completeness, Default::default());
    assert_eq!((mail.started_at, mail.ended_at), (Timestamp(2_005), Timestamp(2_012)));
}

#[test]
fn pipelined_commands_get_their_own_replies() {
    let mail = one(&with_hello(
        "C: MAIL FROM:<a@x>
         +: RCPT TO:<b@y>
         +: RCPT TO:<c@y>
         +: RCPT TO:<d@y>
         +: DATA
         s: 250 ok\\r\\n550 5.1.1 no\\r\\n250 ok\\r\\n452 4.2.2 full\\r\\n354 go\\r\\n
         c: x: y\\r\\n\\r\\n.\\r\\n
         S: 250 ok",
    ));
    assert_eq!(
        verdicts(&mail),
        [
            ("b@y", Some(550), false),
            ("c@y", Some(250), true),
            ("d@y", Some(452), false)
        ]
    );
    assert_eq!(mail.outcome, Outcome::Delivered);
}

#[test]
fn several_mails_of_a_session_are_told_apart() {
    let all = transactions(&with_hello(&MAIL.repeat(3)));
    assert_eq!(
        all.iter()
            .map(|mail| mail.session.transaction_index)
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert!(all.iter().all(|mail| mail.outcome == Outcome::Delivered));
}

#[test]
fn a_next_mail_pipelined_behind_the_final_dot_is_its_own() {
    let all = transactions(&with_hello(
        "C: MAIL FROM:<a@x>
         +: RCPT TO:<b@y>
         +: DATA
         s: 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n
         c: a: b\\r\\n\\r\\n.\\r\\nMAIL FROM:<c@x>\\r\\nRCPT TO:<d@y>\\r\\nDATA\\r\\n
         s: 554 no\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n
         c: .\\r\\n
         S: 250 ok",
    ));
    let told: Vec<_> = all
        .iter()
        .map(|mail| (mail.reverse_path.as_deref().unwrap(), mail.outcome))
        .collect();
    assert_eq!(told, [("a@x", Outcome::Rejected), ("c@x", Outcome::Delivered)]);
}

#[test]
fn a_refusal_at_any_stage_is_never_delivered() {
    for (text, outcome, code) in [
        ("C: MAIL FROM:<a@x>\nS: 550 no\nC: QUIT\nS: 221 bye", Outcome::Rejected, Some(550)),
        ("C: MAIL FROM:<a@x>\nS: 451 later\nC: QUIT\nS: 221 bye", Outcome::Deferred, Some(451)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 550 5.1.1 no\nC: RSET\nS: 250 ok", Outcome::Rejected, Some(550)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 450 no\nC: QUIT\nS: 221 bye", Outcome::Deferred, Some(450)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 554 no\nC: QUIT\nS: 221 bye", Outcome::Rejected, Some(554)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\nS: 554 5.7.1 spam", Outcome::Rejected, Some(554)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\nS: 451 4.3.0 later", Outcome::Deferred, Some(451)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 421 4.3.2 closing", Outcome::Deferred, Some(421)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nS: 421 4.4.2 timeout", Outcome::Deferred, Some(421)),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: RSET\nS: 250 ok", Outcome::Aborted, None),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: EHLO again\nS: 250 ok", Outcome::Aborted, None),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: QUIT\nS: 221 bye", Outcome::Aborted, None),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok", Outcome::Aborted, None),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 354 go\nC: half", Outcome::Aborted, None),
        ("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 354 go\nC: .", Outcome::Unknown, None),
        ("C: MAIL FROM:<a@x>\n+: RCPT TO:<b@y>\n+: DATA\ns: 550 no\\r\\n503 no\\r\\n503 no\\r\\n\nC: QUIT\nS: 221 bye", Outcome::Rejected, Some(550)),
        ("C: MAIL FROM:<a@x>\n+: RCPT TO:<b@y>\n+: DATA\ns: 250 ok\\r\\n550 no\\r\\n554 no valid\\r\\n\nC: QUIT\nS: 221 bye", Outcome::Rejected, Some(550)),
    ] {
        let mail = one(&with_hello(text));
        assert_eq!((mail.outcome, mail.reply.map(|reply| reply.code)), (outcome, code), "{text}");
    }
}

#[test]
fn a_refused_mail_does_not_spoil_the_next() {
    let all = transactions(&with_hello(&format!("C: MAIL FROM:<bad@x>\nS: 550 no\n{MAIL}")));
    assert_eq!(
        all.iter().map(|mail| mail.outcome).collect::<Vec<_>>(),
        [Outcome::Rejected, Outcome::Delivered]
    );
}

#[test]
fn recipients_pipelined_behind_a_mail_belong_to_it_where_a_reset_was_lost() {
    let text = with_hello(
        "C: MAIL FROM:<a@x>
        S: 250 ok
        C: RCPT TO:<b@y>
        S: 550 no
        C-6
        S: 250 reset
        c: MAIL FROM:<c@x>\\r\\nRCPT TO:<d@y>\\r\\nRSET\\r\\n
        S: 250 ok
        S: 551 no
        S: 250 reset",
    );
    let mails = transactions(&text);
    let told: Vec<_> = mails.iter().map(verdicts).collect();
    assert_eq!(
        told,
        [[("b@y", Some(550), false)], [("d@y", Some(551), false)]],
        "{mails:?}"
    );
}

#[test]
fn a_second_mail_command_that_is_refused_leaves_the_transaction_as_it_is() {
    let mail = one(&with_hello("C: MAIL FROM:<a@x>\nS: 250 ok\nC: MAIL FROM:<other@x>\nS: 503 nested\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\nS: 250 ok"));
    assert_eq!(mail.reverse_path.as_deref(), Some("a@x"));
    assert_eq!(mail.outcome, Outcome::Delivered);
}

#[test]
fn chunks_are_content_whatever_they_look_like() {
    let mail = one(&with_hello(
        "C: MAIL FROM:<a@x> BODY=BINARYMIME
         +: RCPT TO:<b@y>
         c: BDAT 14\\r\\nQUIT\\r\\n.\\r\\nRSET\\nBDAT 3\\r\\n\\r\\nxBDAT 0 LAST\\r\\n
         s: 250 ok\\r\\n250 ok\\r\\n250 14\\r\\n250 3\\r\\n250 2.0.0 queued\\r\\n
         C: QUIT
         S: 221 bye",
    ));
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert_eq!(mail.message.as_ref().unwrap().size_octets, 17);
    assert_eq!(
        mail.reverse_path_params,
        [("BODY".to_owned(), Some("BINARYMIME".to_owned()))]
    );
}

#[test]
fn a_refused_chunk_rejects_the_mail_and_its_payload_is_skipped() {
    let all = transactions(&with_hello(&format!(
        "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nc: BDAT 6\\r\\nQUIT\\r\\n\nS: 552 too big\nC: RSET\nS: 250 ok\n{MAIL}"
    )));
    assert_eq!(
        all.iter().map(|mail| mail.outcome).collect::<Vec<_>>(),
        [Outcome::Rejected, Outcome::Delivered]
    );
}

#[test]
fn lmtp_tells_each_recipient_its_own_end() {
    let all = transactions(
        "S: 220 lmtp
         C: LHLO out
         S: 250 PIPELINING
         C: MAIL FROM:<>
         +: RCPT TO:<a@y>
         +: RCPT TO:<b@y>
         +: RCPT TO:<c@y>
         +: DATA
         s: 250 ok\\r\\n250 ok\\r\\n550 no\\r\\n250 ok\\r\\n354 go\\r\\n
         C: .
         +: QUIT
         s: 250 2.0.0 saved\\r\\n452 4.2.2 full\\r\\n221 bye\\r\\n",
    );
    assert_eq!(all.len(), 1);
    assert_eq!(
        verdicts(&all[0]),
        [
            ("a@y", Some(250), true),
            ("b@y", Some(550), false),
            ("c@y", Some(452), false)
        ]
    );
    assert_eq!(
        (all[0].outcome, all[0].session.protocol),
        (Outcome::Delivered, Some(Protocol::Lmtp))
    );
    assert_eq!(all[0].reverse_path.as_deref(), Some(""));
}

fn tls_session(beginning: Beginning, text: &str) -> (Vec<Transaction>, TlsSession) {
    let mut all = events(beginning, text, Ending::Closed);
    let Some(Event::Session(session)) = all.pop() else {
        panic!("no session record")
    };
    (only_transactions(all), *session)
}

#[test]
fn a_session_that_turns_to_tls_is_told_with_what_stayed_visible() {
    let (mails, session) = tls_session(
        Beginning::Start,
        &with_hello("C: STARTTLS\nS: 220 go ahead\nc: \u{16}\u{3}\u{1}\nS: xx"),
    );
    assert!(mails.is_empty());
    assert_eq!(
        (session.tls_start, session.session.helo.as_deref()),
        ("starttls", Some("out.example"))
    );
    assert!(session.session.tls);
    let (_, session) = tls_session(Beginning::Start, &with_hello("C: X-ANONYMOUSTLS\nS: 220 go ahead"));
    assert_eq!(session.tls_start, "x-anonymoustls");
}

#[test]
fn a_refused_starttls_carries_on_in_clear() {
    let mail = one(&with_hello(&format!("C: STARTTLS\nS: 454 not now\n{MAIL}")));
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert!(!mail.session.tls);
}

#[test]
fn commands_injected_behind_starttls_are_an_anomaly() {
    let (_, session) = tls_session(Beginning::Start, &with_hello("C: STARTTLS\n+: RSET\nS: 220 go ahead"));
    assert!(session
        .anomalies
        .iter()
        .any(|anomaly| anomaly.slug() == "smtp_data_before_starttls"));
}

#[test]
fn auth_gives_the_user_name_only_if_it_was_accepted() {
    let plain = "AGFubkBjb3JwLmV4YW1wbGUAczNjcmV0";
    for (dialogue, user) in [
        (format!("C: AUTH PLAIN {plain}\nS: 235 ok\n"), Some("ann@corp.example")),
        (
            format!("C: AUTH PLAIN\nS: 334\nC: {plain}\nS: 235 ok\n"),
            Some("ann@corp.example"),
        ),
        (format!("C: AUTH PLAIN {plain}\nS: 535 no\n"), None),
        (
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: UVVJVA==\nS: 235 ok\n".to_owned(),
            Some("ann"),
        ),
        ("C: AUTH LOGIN\nS: 334 x\nC: *\nS: 501 cancelled\n".to_owned(), None),
        ("C: AUTH PLAIN\nS: 334\nC: QUIT\nS: 535 no\n".to_owned(), None),
    ] {
        let mail = one(&with_hello(&format!("{dialogue}{MAIL}")));
        assert_eq!(mail.session.auth_user.as_deref(), user, "{dialogue}");
        assert_eq!(mail.outcome, Outcome::Delivered, "{dialogue}");
    }
}

#[test]
fn the_real_client_is_told_by_xclient_xforward_and_proxy() {
    let ip: IpAddr = "203.0.113.9".parse().unwrap();
    let xclient = one(&with_hello(&format!(
        "C: XCLIENT ADDR=203.0.113.9 HELO=real.example\nS: 220 again\nC: EHLO out.example\nS: 250 ok\n{MAIL}"
    )));
    assert_eq!(xclient.session.client_ip, Some(ip));
    let all = transactions(&with_hello(&format!(
        "C: XFORWARD ADDR=203.0.113.9 HELO=real.example\nS: 250 ok\n{MAIL}{MAIL}"
    )));
    assert_eq!(all[0].session.client_ip, Some(ip));
    assert_eq!(all[0].session.helo.as_deref(), Some("real.example"));
    assert_eq!(all[1].session.client_ip, Some(flow().client.address));
    let proxied = one(&format!("C: PROXY TCP4 203.0.113.9 192.0.2.2 4711 25\n{HELLO}{MAIL}"));
    assert_eq!(proxied.session.client_ip, Some(ip));
}

#[test]
fn an_xexch50_payload_is_no_command() {
    let mail = one(&with_hello(&MAIL.replace(
        "C: DATA",
        "C: XEXCH50 6 2\nS: 354 send\nc: QUIT\\r\\n\nS: 250 ok\nC: DATA",
    )));
    assert_eq!(mail.outcome, Outcome::Delivered);
}

#[test]
fn unknown_verbs_wait_for_their_reply_like_any_other() {
    let mail = one(&with_hello(&MAIL.replace(
        "C: DATA\nS: 354 go",
        "C: XYZZY 1\n+: NOOP\n+: DATA\ns: 500 what\\r\\n250 ok\\r\\n354 go\\r\\n",
    )));
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert_eq!(slugs(&mail), ["smtp_unknown_command"]);
}

#[test]
fn a_client_that_does_not_wait_is_read_all_the_same() {
    let mail = one(
        "c: EHLO spam\\r\\nMAIL FROM:<a@x>\\r\\nRCPT TO:<b@y>\\r\\nDATA\\r\\na: b\\r\\n\\r\\nx\\r\\n.\\r\\nQUIT\\r\\n
         s: 220 mx\\r\\n250 mx\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n250 ok\\r\\n221 bye\\r\\n",
    );
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert!(slugs(&mail).contains(&"smtp_pipelined_before_reply"));
}

// ---- losses

fn delivered(text: &str) -> Vec<(Option<String>, Outcome, u64)> {
    transactions(&with_hello(text))
        .into_iter()
        .map(|mail| (mail.reverse_path, mail.outcome, mail.completeness.missing_octets))
        .collect()
}

fn ann() -> Option<String> {
    Some("ann@corp.example".to_owned())
}

#[test]
fn a_gap_in_the_content_costs_that_mail_its_octets_and_the_others_nothing() {
    let holed = MAIL.replace(
        "c: Subject: x\\r\\n\\r\\nhello",
        "c: Subject: x\\r\\n\\r\\nhel\nC-100\nc: lo",
    );
    assert_eq!(
        delivered(&format!("{holed}{MAIL}{MAIL}")),
        [
            (ann(), Outcome::Delivered, 100),
            (ann(), Outcome::Delivered, 0),
            (ann(), Outcome::Delivered, 0)
        ]
    );
}

#[test]
fn an_end_of_data_lost_in_a_gap_is_known_by_its_reply() {
    let holed = MAIL.replace("hello\\r\\n.\\r\\n", "hel\nC-7");
    assert_eq!(
        delivered(&format!("{holed}{MAIL}")),
        [(ann(), Outcome::Delivered, 7), (ann(), Outcome::Delivered, 0)]
    );
}

#[test]
fn each_lost_command_or_reply_of_a_mail_leaves_the_next_mail_whole() {
    let lines: Vec<&str> = MAIL.lines().collect();
    for lost in 0..lines.len() {
        let holed: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| {
                if number == lost {
                    format!("{}-20", line[..1].to_uppercase())
                } else {
                    (*line).to_owned()
                }
            })
            .collect();
        let text = with_hello(&format!("{}\n{MAIL}", holed.join("\n")));
        let all = transactions(&text);
        assert_eq!(all.len(), 2, "lost: {}\n{all:#?}", lines[lost]);
        let second = &all[1];
        assert_eq!(
            (second.reverse_path.clone(), second.outcome),
            (ann(), Outcome::Delivered),
            "lost: {}",
            lines[lost]
        );
        assert_eq!(
            verdicts(second),
            [("bob@dst.example", Some(250), true)],
            "lost: {}",
            lines[lost]
        );
        assert_eq!(second.completeness.missing_octets, 0, "lost: {}", lines[lost]);
        assert_eq!(all[0].completeness.missing_octets, 20, "lost: {}", lines[lost]);
        let expected = if lost == 7 {
            Outcome::Unknown
        } else {
            Outcome::Delivered
        };
        assert_eq!(all[0].outcome, expected, "lost: {}", lines[lost]);
    }
}

#[test]
fn a_client_alone_gives_records_of_unknown_outcome() {
    let client_only: String = with_hello(&format!("{MAIL}{MAIL}C: QUIT"))
        .lines()
        .map(|line| {
            if line.starts_with("S:") || line.starts_with("s:") {
                format!("S-{}\n", line.len() - 1)
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let all = transactions(&client_only);
    assert_eq!(all.len(), 2, "{all:#?}");
    for mail in all {
        assert_eq!(
            (mail.reverse_path.clone(), mail.outcome, mail.completeness.one_sided),
            (ann(), Outcome::Unknown, true)
        );
        assert_eq!(verdicts(&mail), [("bob@dst.example", None, false)]);
    }
}

#[test]
fn a_server_alone_gives_a_record_per_accepted_content() {
    let server_only: String = with_hello(&format!("{MAIL}{MAIL}"))
        .lines()
        .map(|line| {
            if line.starts_with("C:") || line.starts_with("c:") {
                format!("C-{}\n", line.len() - 1)
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let all = transactions(&server_only);
    assert_eq!(all.len(), 2, "{all:#?}");
    for mail in all {
        assert_eq!(
            (mail.reverse_path, mail.outcome, mail.completeness.one_sided),
            (None, Outcome::Delivered, true)
        );
    }
}

#[test]
fn a_session_joined_inside_is_read_from_the_next_certain_place() {
    let dialogue = with_hello(&format!("{MAIL}{MAIL}"));
    let lines: Vec<&str> = dialogue.lines().collect();
    for start in 1..lines.len() - 8 {
        let text = lines[start..].join("\n");
        let all = only_transactions(events(Beginning::Midstream, &text, Ending::Closed));
        let last = all.last().unwrap();
        assert_eq!(
            (last.reverse_path.clone(), last.outcome),
            (ann(), Outcome::Delivered),
            "from {}: {all:#?}",
            lines[start]
        );
        assert_eq!(
            verdicts(last),
            [("bob@dst.example", Some(250), true)],
            "from {}",
            lines[start]
        );
        assert!(all.len() <= 2);
    }
}

#[test]
fn the_end_of_the_capture_leaves_the_outcome_open() {
    let text = with_hello("C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 354 go\nC: half");
    let all = only_transactions(events(Beginning::Start, &text, Ending::Unseen));
    assert_eq!(
        (all[0].outcome, all[0].completeness.truncated),
        (Outcome::Unknown, true)
    );
}

#[test]
fn content_that_reads_like_commands_is_content_where_the_session_was_joined_inside_it() {
    let quoted = "C: QUIT is a word\nC: MAIL FROM:<no@a.example>\n".repeat(30);
    let text = format!("c: ple.com wrote:\\r\\n\n{quoted}C: .\nS: 250 ok\n{MAIL}");
    let all = only_transactions(events(Beginning::Midstream, &text, Ending::Closed));
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_eq!(
        (all[0].reverse_path.as_deref(), all[0].outcome),
        (None, Outcome::Delivered)
    );
    assert_eq!(
        (all[1].reverse_path.clone(), all[1].outcome),
        (ann(), Outcome::Delivered)
    );
}

#[test]
fn what_refused_first_decides_over_what_followed_from_it() {
    let mail = one(&with_hello(
        "C: MAIL FROM:<a@x>
         +: RCPT TO:<b@y>
         c: BDAT 2\\r\\nxxBDAT 2 LAST\\r\\nyy
         s: 250 ok\\r\\n250 ok\\r\\n552 too big\\r\\n503 no transaction\\r\\n",
    ));
    assert_eq!(
        (mail.outcome, mail.reply.map(|reply| reply.code)),
        (Outcome::Rejected, Some(552))
    );
}

#[test]
fn a_transaction_keeps_the_name_its_client_had_then() {
    let all = transactions(&with_hello(
        "C: MAIL FROM:<a@x>\nS: 250 ok\nC: EHLO other.example\nS: 250 ok",
    ));
    assert_eq!(all[0].session.helo.as_deref(), Some("out.example"));
}

const SMUGGLED: &str = "C: MAIL FROM:<ann@corp.example>
S: 250 ok
C: RCPT TO:<bob@dst.example>
S: 250 ok
C: DATA
S: 354 go
c: Subject: outer\\r\\n\\r\\nhello\\n.\\r\\nMAIL FROM:<boss@corp.example>\\r\\nRCPT TO:<eve@dst.example>\\r\\nDATA\\r\\nSubject: inner\\r\\n\\r\\nx\\r\\n.\\r\\n
";

fn subjects(all: &[Transaction]) -> Vec<Option<&str>> {
    all.iter()
        .map(|mail| {
            mail.message
                .as_ref()
                .and_then(|message| message.header.subject.as_deref())
        })
        .collect()
}

#[test]
fn a_mail_smuggled_past_a_server_that_was_fooled_is_a_mail_of_its_own() {
    let all = transactions(&with_hello(&format!(
        "{SMUGGLED}s: 250 one\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n250 two\\r\\n\nC: QUIT\nS: 221 bye"
    )));
    assert_eq!(subjects(&all), [Some("outer"), Some("inner")]);
    assert_eq!(all[1].reverse_path.as_deref(), Some("boss@corp.example"));
    assert_eq!(verdicts(&all[1]), [("eve@dst.example", Some(250), true)]);
    assert!(all.iter().all(|mail| mail.outcome == Outcome::Delivered));
    assert!(slugs(&all[0]).contains(&"smtp_command_after_smuggled_end"));
}

#[test]
fn a_server_that_is_not_fooled_gets_one_mail() {
    for after in [
        "S: 250 one\nC: QUIT\nS: 221 bye\n".to_owned(),
        "S: 250 one\n".to_owned(),
        format!("S: 250 one\n{MAIL}"),
    ] {
        let all = transactions(&with_hello(&format!("{SMUGGLED}{after}")));
        assert_eq!(subjects(&all)[0], Some("outer"), "{after}");
        assert_eq!(all.len(), 1 + after.matches("DATA").count(), "{after}");
        assert!(all.iter().all(|mail| mail.outcome == Outcome::Delivered), "{after}");
        assert!(all[0].message.as_ref().unwrap().size_octets > 100, "{after}");
    }
}

#[test]
fn false_ends_without_number_hide_nothing_behind_them() {
    let quoted = "quoted\\n.\\nMAIL FROM:<a@b>\\r\\nQUIT\\r\\n".repeat(20);
    let quoting = MAIL.replace("hello\\r\\n.", &format!("hello\\r\\n{quoted}."));
    for after in [String::new(), MAIL.to_owned()] {
        let all = transactions(&with_hello(&format!("{quoting}{after}")));
        assert_eq!(all.len(), 1 + after.matches("DATA").count());
        assert!(all.iter().all(|mail| mail.outcome == Outcome::Delivered), "{all:#?}");
        assert!(all[0].message.as_ref().unwrap().size_octets > 20 * 30);
    }
}

#[test]
fn a_body_that_quotes_a_false_end_is_content() {
    let mail = one(&with_hello(
        &MAIL.replace("hello\\r\\n.", "hello\\n.\\nquoted text\\r\\n."),
    ));
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert!(slugs(&mail).contains(&"smtp_smuggled_end_of_data"));
    assert!(!slugs(&mail).contains(&"smtp_command_after_smuggled_end"));
}

#[test]
fn a_mail_after_refused_content_is_a_mail_of_its_own() {
    let all = transactions(&with_hello(&format!(
        "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@y>\nS: 250 ok\nC: DATA\nS: 550 no\nC: MAIL FROM:<c@x>\nS: 550 no\n{MAIL}"
    )));
    let told: Vec<_> = all
        .iter()
        .map(|mail| (mail.reverse_path.as_deref().unwrap(), mail.outcome))
        .collect();
    assert_eq!(
        told,
        [
            ("a@x", Outcome::Rejected),
            ("c@x", Outcome::Rejected),
            ("ann@corp.example", Outcome::Delivered)
        ]
    );
}

#[test]
fn a_client_that_never_waits_is_read_without_nesting() {
    for command in ["DATA\r\n", "STARTTLS\r\n", "AUTH LOGIN\r\n", "XEXCH50 4 2\r\n"] {
        // More than may be held, at once: each line makes the next one readable.
        let octets = command.repeat(120_000 / command.len()).into_bytes();
        let read = move || run(Beginning::Start, &[Turn::Client(octets)], usize::MAX, Ending::Closed);
        let small_stack = std::thread::Builder::new().stack_size(1 << 20).spawn(read).unwrap();
        assert!(small_stack.join().is_ok(), "{command:?}");
    }
}

#[test]
fn what_is_told_at_the_bound_on_held_octets_does_not_depend_on_the_cut() {
    let limits = Limits {
        held_octets: 100,
        ..Limits::default()
    };
    let lines = "Subject: x\r\n\r\nsome text\r\n".repeat(10);
    // What a line looks like must not depend on how much of it was there when the bound was reached.
    let long = [
        format!("XCLIENT {}=1", "x".repeat(600)),
        format!("EHLO {}", "x".repeat(400)),
        format!("EHLO{:600}x", ""),
    ];
    let guessed = long.iter().flat_map(|line| {
        [
            format!("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n{line}\r\nMAIL FROM:<c@x>\r\n.\r\n"),
            format!("XEXCH50 1000 2\r\n{line}\r\nMAIL FROM:<a@x>\r\nQUIT\r\n{lines}{lines}{lines}{lines}"),
        ]
    });
    let blockers = [
        format!("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n{lines}.\r\nMAIL FROM:<c@x>\r\nQUIT\r\n"),
        format!("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n{lines}\n.\nMAIL FROM:<c@x>\r\n{lines}.\r\nQUIT\r\n"),
        format!("AUTH LOGIN\r\nbmFtZQ==\r\nbmFtZQ==\r\nMAIL FROM:<a@x>\r\n{lines}"),
        format!("XEXCH50 140 2\r\n{lines}MAIL FROM:<a@x>\r\nQUIT\r\n"),
        format!("STARTTLS\r\n\u{16}\u{3}\u{1}{lines}"),
        format!("STARTTLS\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n{lines}.\r\n"),
    ];
    for octets in guessed.chain(blockers) {
        let hello = script(HELLO);
        let told = |pieces: &[&str]| {
            let turns = pieces.iter().map(|piece| Turn::Client(piece.as_bytes().to_vec()));
            let turns: Vec<Turn> = hello.iter().cloned().chain(turns).collect();
            let mut events = run_within(limits.clone(), Beginning::Start, &turns, usize::MAX, Ending::Closed);
            events.iter_mut().for_each(forget_times);
            events
        };
        let whole = told(&[&octets]);
        for cut in 1..octets.len() {
            assert_eq!(
                told(&[&octets[..cut], &octets[cut..]]),
                whole,
                "{octets:?} cut at {cut}"
            );
        }
        let single: Vec<&str> = (0..octets.len()).map(|at| &octets[at..=at]).collect();
        assert_eq!(told(&single), whole, "{octets:?} octet by octet");
    }
}

fn forget_times(event: &mut Event) {
    match event {
        Event::Transaction(transaction) => {
            (transaction.started_at, transaction.ended_at) = (Timestamp(0), Timestamp(0));
        }
        Event::Session(session) => (session.started_at, session.ended_at) = (Timestamp(0), Timestamp(0)),
    }
}

#[test]
fn a_client_that_goes_on_behind_more_commands_than_are_kept_is_not_held_for_ever() {
    let limits = Limits {
        held_octets: 100,
        pending_commands: 3,
        ..Limits::default()
    };
    let mail = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n";
    let octets = format!("{}DATA\r\n{}", "NOOP\r\n".repeat(5), mail.repeat(10));
    let turns = [script(HELLO), vec![Turn::Client(octets.into_bytes())]].concat();
    let events = run_within(limits, Beginning::Start, &turns, usize::MAX, Ending::Closed);
    assert!(events.len() > 5, "{events:#?}");
}

#[test]
fn replies_while_much_is_held_cost_what_the_replies_cost() {
    const RECIPIENTS: usize = 4_000;
    let limits = Limits {
        held_octets: 32 << 20,
        ..Limits::default()
    };
    let mut context = context();
    context.limits = limits;
    let mut session = Session::new(flow(), Beginning::Start, &mut context);
    let at = Timestamp(2_000);
    session.server(b"220 mx LMTP\r\n", at, &mut context);
    session.client(b"LHLO x\r\nMAIL FROM:<a@x>\r\n", at, &mut context);
    session.client(&b"RCPT TO:<b@y>\r\n".repeat(RECIPIENTS), at, &mut context);
    session.client(b"DATA\r\n", at, &mut context);
    session.server(&b"250 ok\r\n".repeat(2 + RECIPIENTS), at, &mut context);
    session.server(b"354 go\r\n", at, &mut context);
    session.client(b"x\n.\nMAIL FROM:<c@x>\r\n", at, &mut context);
    let begun = std::time::Instant::now();
    (0..16).for_each(|_| session.client(&b"text\r\n".repeat(1 << 20)[..1 << 20], at, &mut context));
    session.client(b"\r\n.\r\n", at, &mut context);
    let held_for = begun.elapsed();
    (0..RECIPIENTS).for_each(|_| session.server(b"250 ok\r\n", at, &mut context));
    let answered_for = begun.elapsed() - held_for;
    session.close(Ending::Closed, at, &mut context);
    // A search of all that is held for each reply takes hundreds of times as long.
    assert!(
        answered_for < 20 * held_for.max(std::time::Duration::from_millis(20)),
        "{answered_for:?} {held_for:?}"
    );
    let [Event::Transaction(mail)] = context.events.as_slice() else {
        panic!("{} records", context.events.len())
    };
    assert_eq!(mail.outcome, Outcome::Delivered);
    assert!(mail.message.as_ref().unwrap().size_octets > 16 << 20);
}
