//! Engines that share the flows tell together what one engine tells alone.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;
use wire::counters::Counters;
use wire::engine::Engine;
use wire::frame::{Frame, LinkType, Timestamp};
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::record::event::Event;
use wire::share::Share;

const SYN: u8 = 2;
const ACK: u8 = 16;

/// What a client (0) and a server (1) say, up to where the capture of this session ends.
const DIALOGUE: [(usize, &str); 9] = [
    (1, "220 mx.dst.example ESMTP\r\n"),
    (0, "EHLO out.src.example\r\n"),
    (1, "250 mx.dst.example\r\n"),
    (0, "MAIL FROM:<bo@src.example>\r\n"),
    (1, "250 2.1.0 Ok\r\n"),
    (0, "RCPT TO:<ann@dst.example>\r\n"),
    (1, "250 2.1.5 Ok\r\n"),
    (0, "RSET\r\n"),
    (1, "250 2.0.0 Ok\r\n"),
];

/// Ethernet, IPv4 and TCP around *payload*, of session *number*.
fn frame(number: u8, from: usize, next: [u32; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let (client, server) = ([10, 0, 0, number], [192, 0, 2, 1]);
    let (port, mail) = (40_000_u16.to_be_bytes(), 25_u16.to_be_bytes());
    let addresses = [[client, server].concat(), [server, client].concat()];
    let ports = [[port, mail].concat(), [mail, port].concat()];
    let total = u16::try_from(40 + payload.len()).unwrap().to_be_bytes();
    [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0],
        &total[..],
        &[0, 1, 0x40, 0, 64, 6, 0, 0],
        &addresses[from],
        &ports[from],
        &next[from].to_be_bytes(),
        &next[1 - from].to_be_bytes(),
        &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0],
        payload,
    ]
    .concat()
}

/// The first *turns* turns of session *number*.
fn session(number: u8, turns: usize) -> Vec<Vec<u8>> {
    let mut next = [100, 200];
    let mut frames = vec![frame(number, 0, next, SYN, b"")];
    next[0] += 1;
    frames.push(frame(number, 1, next, SYN | ACK, b""));
    next[1] += 1;
    for (from, text) in &DIALOGUE[..turns.min(DIALOGUE.len())] {
        frames.push(frame(number, *from, next, ACK, text.as_bytes()));
        next[*from] += u32::try_from(text.len()).unwrap();
    }
    frames
}

/// The events with the step that brought each (a frame, or the end), and all counts.
fn run(share: Share, frames: &[(i64, Vec<u8>)]) -> (Vec<(usize, Event)>, Counters) {
    let interest = Arc::new(Interest::new(&InterestSpec::default()).unwrap());
    let mut engine = Engine::sharing(share, interest, &Limits::default());
    let mut told = Vec::new();
    for (step, (at, bytes)) in frames.iter().enumerate() {
        engine.frame(&Frame {
            at: Timestamp(*at),
            link_type: LinkType::ETHERNET,
            bytes,
            original_octets: u32::try_from(bytes.len()).unwrap(),
        });
        told.extend(engine.events().drain(..).map(|event| (step, event)));
    }
    engine.finish();
    told.extend(engine.events().drain(..).map(|event| (frames.len(), event)));
    (told, engine.counters())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn shares_together_tell_what_one_engine_tells(
        turns in prop::collection::vec(0_usize..12, 1..20),
        order in prop::collection::vec(any::<prop::sample::Index>(), 300),
        pause_ms in prop::collection::vec(prop_oneof![9 => 0_i64..5, 1 => 0_i64..2_000_000], 300),
        of in 2_u32..4,
    ) {
        let mut sessions: Vec<_> = (0..).zip(&turns).map(|(number, turns)| session(number, *turns).into_iter()).collect();
        let (mut frames, mut now) = (Vec::new(), 0);
        for (pick, pause_ms) in order.iter().zip(pause_ms) {
            now += pause_ms * 1_000_000;
            let count = sessions.len();
            frames.extend(sessions[pick.index(count)].next().map(|frame| (now, frame)));
        }
        let (whole, counters) = run(Share::WHOLE, &frames);
        let parts: Vec<_> = (0..of).map(|number| run(Share::new(number, of), &frames)).collect();
        let mut merged: Vec<_> = parts.iter().flat_map(|(events, _)| events.clone()).collect();
        merged.sort_by_key(|(step, event)| {
            let flow = *event.flow();
            (*step, flow.started_at, flow.client.min(flow.server), flow.client.max(flow.server))
        });
        let mut sum = Counters::default();
        parts.iter().for_each(|(_, counters)| sum.add(counters));
        prop_assert_eq!(sum.list(), counters.list());
        prop_assert_eq!(merged.len(), whole.len());
        // Flows that time out with one frame come in the order of their last segments; a merge knows their starts alone.
        let steps = |events: &[(usize, Event)]| events.iter().map(|(step, _)| *step).collect::<Vec<_>>();
        prop_assert_eq!(steps(&merged), steps(&whole));
        for event in &whole {
            prop_assert!(merged.contains(event));
        }
    }
}
