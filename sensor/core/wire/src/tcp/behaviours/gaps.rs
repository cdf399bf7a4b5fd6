//! Octets that were never seen, and how long they are waited for.

use super::*;

#[test]
fn acknowledged_octets_that_never_came_are_a_gap_after_the_grace_time() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.data('c', 8, 0, "ijk");
            t.data('s', 0, 11, "ok");
            t.pass(999);
            assert_eq!(t.notes.lines.len(), 2);
            t.pass(1);
            assert_eq!((t.counters.gaps, t.counters.gap_octets), (1, 5));
            assert_eq!(t.anomalies.count(Anomaly::TcpGap), 1);
        },
        &[WHOLE, "c: abc", "c gap 5", "c: ijk", "s: ok"],
    );
}

#[test]
fn octets_that_come_within_the_grace_time_are_no_gap() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 3, "ok");
            t.pass(900);
            t.data('c', 0, 0, "abc");
            t.pass(900);
            t.data('s', 2, 6, "!");
            t.pass(900);
            t.data('c', 3, 2, "def");
        },
        &[WHOLE, "c: abc", "s: ok", "c: def", "s: !"],
    );
}

#[test]
fn octets_that_nobody_acknowledged_are_waited_for() {
    play(
        |t| {
            t.handshake();
            t.data('c', 3, 0, "def");
            t.data('s', 0, 0, "");
            t.pass(30_000);
            t.data('c', 0, 0, "abc");
        },
        &[WHOLE, "c: abcdef"],
    );
}

#[test]
fn a_lost_stretch_is_told_in_parts_between_what_the_peer_sent() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 5, "250 a\n");
            t.data('s', 6, 12, "250 b\n");
            t.data('c', 20, 12, "QUIT\n");
            t.data('s', 12, 25, "");
            t.pass(1_000);
        },
        &[
            WHOLE,
            "c gap 5",
            "s: 250 a\n",
            "c gap 7",
            "s: 250 b\n",
            "c gap 8",
            "c: QUIT\n",
        ],
    );
}

#[test]
fn a_lossy_capture_runs_on_once_the_causal_hold_is_full() {
    let limits = Limits {
        causal_hold_octets_per_flow: 400,
        ..Limits::default()
    };
    play_with(
        &limits,
        |t| {
            t.handshake();
            t.data('c', 0, 5, &"x".repeat(300)); // the server's five octets were lost
            assert!(t.notes.lines.is_empty());
            t.data('c', 300, 5, "y");
            assert_eq!(t.counters.octets_dropped_out_of_order, 5);
            assert_eq!(t.anomalies.count(Anomaly::TcpOutOfOrderLimit), 1);
            t.notes.lines.retain(|line| !line.starts_with("c: x"));
        },
        &[WHOLE, "s gap 5", "tcp_out_of_order_limit"],
    );
}

#[test]
fn bounds_on_held_octets_and_segments_turn_holes_into_gaps() {
    let narrow = [
        Limits {
            out_of_order_octets_per_flow: 190,
            ..Limits::default()
        },
        Limits {
            out_of_order_segments_per_flow: 2,
            ..Limits::default()
        },
    ];
    for limits in narrow {
        play_with(
            &limits,
            |t| {
                t.handshake();
                t.data('c', 2, 0, "c");
                t.data('c', 4, 0, "e");
                assert!(t.notes.lines.is_empty());
                t.data('c', 7, 0, "hijkl");
            },
            &[WHOLE, "c gap 2", "c: c", "tcp_out_of_order_limit"],
        );
    }
}

#[test]
fn the_bound_over_all_flows_releases_the_flow_that_breaks_it() {
    let limits = Limits {
        out_of_order_octets: 150,
        ..Limits::default()
    };
    play_with(
        &limits,
        |t| {
            t.handshake();
            t.data('c', 2, 0, "c");
            t.data('c', 4, 0, "e");
            assert!(t.table.held_octets() > 0);
            t.data('c', 6, 0, "g");
            assert_eq!(t.table.held_octets(), 0);
            t.notes.lines.retain(|line| line.contains(':'));
        },
        &["c: c", "c: e", "c: g"],
    );
}

#[test]
fn a_snapped_segment_is_its_payload_and_then_a_gap() {
    play(
        |t| {
            t.handshake();
            t.show_snapped('c', ACK, (0, 0), "abc", 7);
            t.data('c', 10, 0, "k");
            t.show_snapped('c', ACK, (15, 0), "", 2);
            t.data('c', 11, 0, "lmno");
        },
        &[
            WHOLE,
            "c: abc",
            "tcp_snapped",
            "c gap 7",
            "c: klmno",
            "tcp_snapped",
            "c gap 2",
        ],
    );
}
