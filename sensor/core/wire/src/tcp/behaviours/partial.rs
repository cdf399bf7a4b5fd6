//! One direction only, and captures that begin inside a flow.

use super::*;

#[test]
fn a_direction_that_is_not_captured_is_a_gap_without_waiting() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.show('c', ACK, 0, 0, "");
            t.data('c', 0, 8, "EHLO\n");
            t.data('c', 5, 60, "MAIL\n");
            t.data('c', 10, 68, "");
        },
        &[
            "open by c, c whole, s midstream",
            "s gap 8",
            "c: EHLO\n",
            "s gap 52",
            "c: MAIL\n",
            "s gap 8",
        ],
    );
}

#[test]
fn a_direction_that_shows_up_late_is_followed_from_there() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.show('c', ACK, 0, 0, "");
            t.data('c', 0, 8, "EHLO\n");
            t.data('s', 8, 5, "250\n");
            t.data('s', 12, 10, "250\n");
            t.data('c', 5, 12, "MAIL\n");
        },
        &[
            "open by c, c whole, s midstream",
            "s gap 8",
            "c: EHLO\n",
            "s: 250\n",
            "c: MAIL\n",
            "s: 250\n",
        ],
    );
}

#[test]
fn a_hole_in_the_only_direction_is_a_gap_after_the_grace_time() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.data('c', 3, 0, "def");
            t.pass(1_000);
            t.data('c', 6, 0, "g");
        },
        &["open by c, c whole, s midstream", "c gap 3", "c: defg"],
    );
}

#[test]
fn a_capture_may_begin_inside_a_flow() {
    play(
        |t| {
            t.data('s', 1_000, 500, "250\n");
            t.data('c', 500, 1_004, "DATA\n");
            t.data('s', 990, 500, "too late\n");
            t.data('s', 1_004, 505, "354\n");
        },
        &[MIDSTREAM, "s: 250\n", "c: DATA\n", "s: 354\n"],
    );
}

#[test]
fn a_syn_that_data_overtook_belongs_to_its_flow() {
    play(
        |t| {
            t.data('c', 0, 0, "EHLO\n");
            t.show('c', SYN, -1, 0, "");
            t.data('c', 5, 0, "MAIL\n");
        },
        &[MIDSTREAM, "c: EHLO\nMAIL\n"],
    );
}
