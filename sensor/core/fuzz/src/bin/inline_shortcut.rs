//! What takes the shortcut of a relay: content ends where RFC 5321 4.5.2 says that it ends and nowhere before, commands and replies are
//! of those that may pass, and no more replies are awaited than there is room for.
#![no_main]

use core_fuzz::{pieces, Choices};
use libfuzzer_sys::fuzz_target;
use wire::inline::shortcut::{Envelope, LineEnd, Passage, Shortcut, Stage};

/// Commands without a reply that the shortcut follows at most, and the replies to one dot.
const AWAITED_MAX: usize = 256 + 256;

fuzz_target!(|octets: &[u8]| {
    for size in [0, 1, 7] {
        content(octets, size);
    }
    dialogue(octets);
});

/// All of it as content, cut into pieces of that size.
fn content(octets: &[u8], size: usize) {
    let mut shortcut = Shortcut::new(Stage::Content(LineEnd::CrLf), Envelope::default(), false, true);
    let mut passed = Vec::new();
    for piece in pieces(octets, size) {
        let passage = shortcut.client(piece);
        if passage == Passage::Refused {
            return;
        }
        passed.extend_from_slice(piece);
        let end = end_of_data(&passed);
        if passage == Passage::UpToDot {
            assert_eq!(end, Some(passed.len()));
            return;
        }
        assert_eq!(end, None);
    }
}

/// Where content ends: behind the first line that is a dot.
fn end_of_data(content: &[u8]) -> Option<usize> {
    let first = content.starts_with(b".\r\n").then_some(3);
    first.or_else(|| {
        content
            .windows(5)
            .position(|five| five == b"\r\n.\r\n")
            .map(|at| at + 5)
    })
}

/// Both sides in turn, by lines and parts of lines.
fn dialogue(octets: &[u8]) {
    let mut choices = Choices(octets);
    let is_lmtp = choices.octet().is_some_and(|octet| octet % 2 == 1);
    let mut shortcut = Shortcut::new(Stage::Commands, Envelope::default(), is_lmtp, true);
    while let Some(choice) = choices.octet() {
        let before = shortcut.stand().clone();
        let said = choices.octets(usize::from(choice >> 1));
        if choice % 2 == 0 {
            match shortcut.client(said) {
                Passage::Refused => assert_eq!(*shortcut.stand(), before, "a refused piece was taken"),
                Passage::Whole => {}
                Passage::UpToDot if before.mail.recipients > 256 => return,
                Passage::UpToDot => shortcut.end(),
            }
        } else {
            match shortcut.server(said) {
                None => assert_eq!(*shortcut.stand(), before, "a refused piece was taken"),
                Some(dots) => assert!(dots <= before.awaited.len()),
            }
        }
        assert!(shortcut.stand().awaited.len() <= AWAITED_MAX);
    }
}
