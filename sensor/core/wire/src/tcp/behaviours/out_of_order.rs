//! Segments out of order, overlapping, or shown before what they answer.

use super::*;

#[test]
fn segments_out_of_order_are_put_in_order() {
    play(
        |t| {
            t.handshake();
            t.data('c', 6, 0, "gh");
            t.data('c', 3, 0, "de");
            t.data('c', 0, 0, "abc");
            t.data('c', 5, 0, "f");
            assert_eq!(t.counters.segments_out_of_order, 2);
            assert_eq!(t.counters.gaps, 0);
        },
        &[WHOLE, "c: abcdefgh"],
    );
}

#[test]
fn the_first_copy_wins_and_a_conflict_is_told() {
    play(
        |t| {
            t.handshake();
            t.data('c', 2, 0, "cd");
            t.data('c', 0, 0, "abXXe");
            assert_eq!(t.counters.octets_conflicting, 2);
            t.data('c', 5, 0, "f");
        },
        &[WHOLE, "c: ab", "tcp_conflicting_overlap", "c: cdef"],
    );
}

#[test]
fn a_reply_shown_before_its_command_is_told_after_it() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('s', 4, 5, "250\n");
            t.data('c', 5, 8, "MAIL\n");
            t.data('c', 0, 4, "EHLO\n");
        },
        &[WHOLE, "s: 220\n", "c: EHLO\n", "s: 250\n", "c: MAIL\n"],
    );
}

#[test]
fn a_whole_direction_shown_late_is_woven_in() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('s', 4, 5, "250\n");
            t.show('s', FIN | ACK, 8, 10, "221\n");
            t.data('c', 0, 4, "EHLO\n");
            t.data('c', 5, 8, "QUIT\n");
            t.show('c', FIN | ACK, 10, 13, "");
        },
        &[
            WHOLE,
            "s: 220\n",
            "c: EHLO\n",
            "s: 250\n",
            "c: QUIT\n",
            "s: 221\n",
            "s fin",
            "c fin",
            "Finished at 0",
        ],
    );
}

#[test]
fn a_retransmission_needs_no_more_than_what_follows_it() {
    play(
        |t| {
            t.handshake();
            t.data('c', 4, 0, "efgh"); // sent before the server spoke
            t.data('c', 0, 3, "abcd"); // the copy of the lost one, sent after
            t.data('s', 0, 0, "xyz");
        },
        &[WHOLE, "c: abcdefgh", "s: xyz"],
    );
}

#[test]
fn numbers_that_contradict_each_other_do_not_block_the_flow() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 4, "ab");
            t.data('s', 0, 2, "wxyz");
            t.data('c', 2, 4, "c");
            assert_eq!((t.counters.gaps, t.table.held_octets()), (0, 0));
            t.notes.lines.retain(|line| line.starts_with('s')); // the lower side goes first
        },
        &["s: wxyz"],
    );
}

#[test]
fn two_needless_retransmissions_that_overtake_their_originals_keep_the_order() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 3, "y"); // both sent again before the acknowledgments came,
            t.data('c', 0, 1, "abcd"); // so that each needs the other
            t.data('s', 0, 0, "y");
            t.data('c', 0, 0, "abc");
            let told = t.notes.lines.split_off(1).join(" ");
            assert!(told.find('y') < told.find('d'), "{told}");
            assert_eq!(t.counters.gaps, 0);
        },
        &[WHOLE],
    );
}

#[test]
fn a_handshake_shown_backwards_still_tells_who_began() {
    play(
        |t| {
            t.show('s', SYN | ACK, -1, 0, "");
            t.data('s', 0, 0, "220\n");
            t.data('c', 0, 0, "");
            t.show('c', SYN, -1, 0, "");
            t.data('c', 0, 4, "QUIT\n");
        },
        &[WHOLE, "s: 220\n", "c: QUIT\n"],
    );
}

#[test]
fn a_connection_attempt_that_came_to_nothing_leaves_no_trace_in_the_next() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.c.isn = t.c.isn.plus(9_000);
            t.show('c', SYN, -1, 0, "");
            t.show('s', RST | ACK, -1, 0, "");
            assert_eq!(t.table.embryonic(), 0);
            t.c.isn = t.c.isn.plus(9_000);
            t.handshake();
            t.s.isn = t.s.isn.plus(77);
            t.show('s', SYN | ACK, -1, 0, "");
            t.data('c', 0, 0, "");
            t.data('s', 0, 0, "220\n");
        },
        &[WHOLE, "s: 220\n"],
    );
}
