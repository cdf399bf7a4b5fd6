//! FIN, RST, reuse, silence, the end of the capture.

use super::*;

#[test]
fn a_half_closed_flow_goes_on() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "QUIT\n");
            t.data('s', 0, 6, "221\n");
            t.now_ms = 3;
            t.show('s', FIN | ACK, 4, 6, "");
        },
        &[WHOLE, "c: QUIT\n", "c fin", "s: 221\n", "s fin", "Finished at 3"],
    );
}

#[test]
fn data_beyond_a_fin_is_told_of_and_ignored() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "ab");
            t.data('c', 1, 0, "bXY");
            t.data('c', 9, 0, "Z");
        },
        &[WHOLE, "c: ab", "c fin", "tcp_data_after_fin", "tcp_data_after_fin"],
    );
}

#[test]
fn a_fin_before_octets_that_arrived_is_no_end() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abcd");
            t.show('c', FIN | ACK, 0, 0, "ab");
            t.data('s', 0, 9, "");
            t.show('c', FIN | ACK, 6, 0, "");
            t.data('c', 4, 0, "efghi");
        },
        &[WHOLE, "c: abcd", "tcp_data_after_fin", "tcp_data_after_fin", "c: efghi"],
    );
}

#[test]
fn a_fin_waits_for_what_precedes_it() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 5, 4, "");
            t.data('s', 0, 0, "220\n");
            t.data('c', 0, 4, "QUIT\n");
        },
        &[WHOLE, "s: 220\n", "c: QUIT\n", "c fin"],
    );
}

#[test]
fn a_lost_end_is_a_gap_before_the_fin() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.show('c', FIN | ACK, 9, 0, "");
            t.show('s', FIN | ACK, 0, 10, "");
            t.pass(1_000);
        },
        &[WHOLE, "c: abc", "c gap 6", "c fin", "s fin", "Finished at 0"],
    );
}

#[test]
fn a_fin_given_up_as_a_gap_still_ends_the_stream_when_it_comes() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.data('s', 0, 4, "ok");
            t.pass(1_000);
            t.show('c', FIN | ACK, 3, 2, "");
        },
        &[WHOLE, "c: abc", "c gap 1", "s: ok", "c fin"],
    );
}

#[test]
fn a_fin_that_arrives_alone_is_told_once_the_peer_speaks() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "");
            t.data('s', 0, 1, "220\n");
            t.show('s', FIN | ACK, 4, 1, "");
        },
        &[WHOLE, "c fin", "s: 220\n", "s fin", "Finished at 0"],
    );
}

#[test]
fn a_fin_before_the_start_of_the_stream_is_no_end() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 4, "ok");
            t.show('c', FIN | ACK, -3, 0, "zz");
            t.data('c', 0, 0, "abcd");
        },
        &[WHOLE, "tcp_data_after_fin", "c: abcd", "s: ok"],
    );
}

#[test]
fn a_fin_inside_a_piece_told_in_part_leaves_nothing_of_it() {
    let mut t = Stage::new(&Limits::default(), (0, 77), Side::Low);
    t.handshake();
    t.data('c', 0, 9, "abcdef");
    t.data('s', 0, 4, "xy");
    t.show('c', FIN | ACK, 4, 9, "");
    t.finish();
    let expected = [
        WHOLE,
        "c: abcd",
        "s: xy",
        "tcp_data_after_fin",
        "s gap 7",
        "c fin",
        "EndOfCapture at 0",
    ];
    assert_eq!(t.notes.lines, expected);
}

#[test]
fn a_reset_closes_once_all_before_it_is_told() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.show('c', RST | ACK, 5, 8, "");
            t.data('c', 0, 4, "DATA\n");
            t.data('s', 4, 5, "250\n");
            t.data('s', 8, 5, "ghost");
        },
        &[WHOLE, "s: 220\n", "c: DATA\n", "s: 250\n", "Reset at 0"],
    );
}

#[test]
fn a_reset_with_holes_before_it_closes_after_the_grace_time() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 2, 4, "c");
            t.show('c', RST, 5, 0, "");
            t.pass(1_000);
        },
        &[WHOLE, "s: 220\n", "c gap 2", "c: c", "c gap 2", "Reset at 0"],
    );
}

#[test]
fn a_reset_tells_what_is_held_of_the_peer_first() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 2, 4, "cd");
            t.show('s', RST | ACK, 4, 0, "");
        },
        &[WHOLE, "s: 220\n", "c gap 2", "c: cd", "Reset at 0"],
    );
}

#[test]
fn a_reset_outside_the_window_is_ignored() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 0, 4, "");
            t.show('s', RST, 3, 0, "");
            t.show('s', RST, 5 + (1 << 20), 0, "");
            assert_eq!(t.counters.segments_implausible, 2);
            t.data('s', 4, 0, "more\n");
        },
        &[WHOLE, "s: 220\nmore\n"],
    );
}

#[test]
fn a_reset_at_what_the_peer_acknowledged_counts_though_more_was_sent() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "421\n");
            t.show('s', RST, 0, 0, "");
        },
        &[WHOLE, "s: 421\n", "Reset at 0"],
    );
}

#[test]
fn a_closed_flow_is_not_opened_again_by_late_segments() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "421\n");
            t.show('s', RST, 4, 0, "");
            t.data('s', 0, 0, "421\n");
            t.show('c', SYN, -1, 0, "");
            t.data('c', 0, 4, "ghost");
            assert_eq!((t.table.settled(), t.table.embryonic()), (1, 0));
            t.pass(121_000);
            assert_eq!(t.table.settled(), 0);
        },
        &[WHOLE, "s: 421\n", "Reset at 0"],
    );
}

#[test]
fn a_new_syn_uses_the_ports_again() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "one\n");
            t.c.isn = t.c.isn.plus(90_000);
            t.s.isn = t.s.isn.plus(1_000);
            t.handshake();
            t.data('s', 0, 0, "two\n");
            t.show('s', RST, 4, 0, "");
            t.c.isn = t.c.isn.plus(5);
            t.handshake();
            t.data('s', 0, 0, "three\n");
        },
        &[
            WHOLE,
            "s: one\n",
            "Reused at 0",
            WHOLE,
            "s: two\n",
            "Reset at 0",
            WHOLE,
            "s: three\n",
        ],
    );
}

#[test]
fn a_second_syn_cookie_is_no_new_flow() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            let isn = t.s.isn;
            t.s.isn = isn.plus(40_000);
            t.show('s', SYN | ACK, -1, 0, "");
            t.s.isn = isn;
            t.data('s', 4, 0, "more\n");
        },
        &[WHOLE, "s: 220\nmore\n"],
    );
}

#[test]
fn a_silent_flow_is_closed_and_forgotten() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 3, 0, "def");
            t.pass(659_000);
            assert_eq!(t.table.len(), 1);
            t.pass(2_000);
            assert_eq!((t.table.len(), t.table.settled()), (0, 0));
            assert_eq!(t.counters.flows_timed_out, 1);
        },
        &[WHOLE, "s: 220\n", "c gap 3", "c: def", "IdleTimeout at 0"],
    );
}

#[test]
fn one_mad_timestamp_expires_nothing() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.now_ms = i64::MAX / MS;
            t.data('s', 4, 0, "250\n");
            t.now_ms = 1;
            t.data('c', 0, 8, "QUIT\n");
            t.now_ms = i64::MIN / MS;
            t.data('c', 5, 8, "!");
        },
        &[WHOLE, "s: 220\n250\n", "c: QUIT\n!"],
    );
}

#[test]
fn the_end_of_the_capture_tells_what_is_held() {
    play(
        |t| {
            t.handshake();
            t.data('c', 2, 4, "cd");
            t.now_ms = 8;
            t.data('s', 2, 0, "yz");
            t.finish();
            t.finish();
            let (gaps, data): (Vec<_>, Vec<_>) = t.notes.lines.drain(1..5).partition(|l| l.contains("gap"));
            assert_eq!(gaps.len(), 2);
            assert_eq!(data.len(), 2);
        },
        &[WHOLE, "EndOfCapture at 8"],
    );
}

#[test]
fn a_capture_of_another_time_begins_afresh() {
    for hours in [-10_000, 10_000] {
        play(
            |t| {
                t.handshake();
                t.data('s', 0, 0, "220\n");
                t.finish();
                t.notes.lines.clear();
                t.now_ms = hours * 3_600_000;
                t.handshake();
                t.now_ms += 400;
                t.data('s', 0, 0, "220\n");
                t.now_ms += 400;
                t.data('c', 0, 4, "QUIT\n");
            },
            &[WHOLE, "s: 220\n", "c: QUIT\n"],
        );
    }
}

#[test]
fn segments_far_from_any_window_are_ignored_and_counted() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "ab");
            t.data('c', 2 + (1 << 30) + 1, 0, "far");
            t.data('c', 2, (1 << 30) + 1, "liar");
            t.data('c', 2, 0, "cd");
            assert_eq!(t.counters.segments_implausible, 2);
        },
        &[WHOLE, "c: abcd"],
    );
}

#[test]
fn many_segments_far_from_any_window_are_a_new_flow() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "old");
            t.data('c', 5, 0, "held");
            for n in 0..17 {
                t.data('c', (1 << 31) + n, 0, "x");
            }
        },
        &[WHOLE, "c: old", "c gap 2", "c: held", "Reused at 0", MIDSTREAM, "c: x"],
    );
}
