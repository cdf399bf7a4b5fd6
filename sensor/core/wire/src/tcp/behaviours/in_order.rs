//! Streams whose segments come in order.

use super::*;

#[test]
fn a_plain_dialogue_is_told_as_it_went() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220 hi\n");
            t.data('c', 0, 7, "QUIT\n");
            t.data('s', 7, 5, "221 bye\n");
            t.now_ms = 9;
            t.show('s', FIN | ACK, 15, 5, "");
            t.show('c', FIN | ACK, 5, 16, "");
            t.data('s', 16, 6, "");
        },
        &[
            WHOLE,
            "s: 220 hi\n",
            "c: QUIT\n",
            "s: 221 bye\n",
            "s fin",
            "c fin",
            "Finished at 9",
        ],
    );
}

#[test]
fn a_handshake_alone_opens_nothing() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "");
            t.show('s', RST | ACK, 0, 1, "");
            assert_eq!(t.table.embryonic(), 0);
        },
        &[],
    );
}

#[test]
fn data_in_the_syn_is_data() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "EHLO");
            t.show('s', SYN | ACK, -1, 4, "");
            t.data('c', 4, 0, " a\n");
            t.data('s', 0, 7, "250\n");
        },
        &["open by c, c whole, s midstream", "c: EHLO a\n", "s: 250\n"],
    );
}

#[test]
fn retransmissions_and_keep_alives_tell_nothing_new() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.show('c', SYN, -1, 0, "");
            t.show('s', SYN | ACK, -1, 0, "");
            t.data('c', 0, 0, "abc");
            t.data('c', 2, 0, "\0");
            t.data('c', 2, 0, "");
            t.data('s', 0, 3, "");
            t.data('c', 1, 0, "bcde");
            assert_eq!(t.counters.octets_retransmitted, 3 + 1 + 2);
        },
        &[WHOLE, "c: abcde"],
    );
}
