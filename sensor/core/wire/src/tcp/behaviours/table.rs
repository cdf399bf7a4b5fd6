//! How many flows there are and how they go.

use super::*;

#[test]
fn a_flow_that_is_not_mail_is_looked_at_once() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 9, 0, "held");
            t.show_snapped('c', ACK, (0, 0), "not mail", 1);
            t.data('c', 14, 0, "again");
            t.data('s', 0, 14, "again");
            assert_eq!(t.counters.flows_not_mail, 1);
            assert_eq!((t.table.len(), t.table.settled()), (0, 1));
            assert_eq!(t.table.held_octets(), 0);
        },
        &[WHOLE, "c: not mail"],
    );
}

#[test]
fn a_full_table_drops_the_flow_that_was_silent_longest() {
    let limits = Limits {
        flows: 2,
        ..Limits::default()
    };
    play_with(
        &limits,
        |t| {
            let open = |t: &mut Stage, port: u16| {
                t.c.endpoint.port = port;
                t.pass(100);
                t.data('c', 0, 0, "x");
            };
            open(t, 1);
            open(t, 2);
            t.c.endpoint.port = 1;
            t.pass(100);
            t.data('c', 1, 0, "y");
            open(t, 3);
            assert_eq!(t.counters.flows_evicted, 1);
            assert_eq!(t.table.len(), 2);
            t.notes.lines.retain(|line| !line.starts_with("open"));
        },
        &["c: x", "c: xy", "tcp_flow_evicted", "Evicted at 200", "c: x"],
    );
}

#[test]
fn a_flood_of_half_open_flows_stays_within_its_roster() {
    let limits = Limits {
        embryonic_flows: 1_000,
        settled_flows: 1_000,
        ..Limits::default()
    };
    let mut stage = Stage::new(&limits, (1, 2), Side::Low);
    for n in 0..1_000_000_u32 {
        stage.c.endpoint.address = IpAddr::V4(Ipv4Addr::from_bits(n));
        stage.show('c', SYN, -1, 0, "");
    }
    assert_eq!(stage.table.embryonic(), 1_000);
    assert_eq!(stage.counters.flows_embryonic_evicted, 999_000);
    for n in 0..3_000_u32 {
        stage.c.endpoint.address = IpAddr::V4(Ipv4Addr::from_bits(n));
        stage.data('c', 0, 0, "not mail");
    }
    assert_eq!(stage.table.settled(), 1_000);
    assert_eq!(stage.counters.flows_settled_evicted, 2_000);
    stage.pass(121_000);
    assert_eq!((stage.table.embryonic(), stage.table.settled()), (0, 0));
}

#[test]
fn flows_close_by_start_and_then_by_endpoints_at_the_end() {
    let mut stage = Stage::new(&Limits::default(), (1, 2), Side::Low);
    for (at, port) in [(5, 9), (3, 8), (5, 1), (4, 7)] {
        stage.now_ms = at;
        stage.c.endpoint.port = port;
        stage.data('c', 0, 0, "x");
    }
    stage.notes.lines.clear();
    stage.finish();
    let at = ["3", "4", "5", "5"].map(|ms| format!("EndOfCapture at {ms}"));
    assert_eq!(stage.notes.lines, at);
}

#[test]
fn an_idle_flow_is_small() {
    let links = 2 * 16; // activity and waiting
    let index = 2 * 5; // one entry, half full
    assert!(std::mem::size_of::<crate::tcp::flow::Flow<Scribe>>() + links + index < 400);
    assert!(std::mem::size_of::<crate::tcp::embryo::Embryo>() + links < 130);
}
