//! Quoted header blocks: the From, Date, To and Subject of a mail that another one carries as text.
//!
//! A block is two or more labels of one language, for different fields, on lines near each other. Clients write them in the
//! language of their user, quoted (`> `), bold (`*From:*`), or in the cells of a table.

use crate::interest::Interest;

/// A block: where its first label's line starts, and the bit of its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) language: u64,
}

/// Lines that may stand between two labels of one block: an empty one, or addresses folded over several.
const LINES_BETWEEN: usize = 5;
/// Octets of the longest label with its quoting. The longest known has 26 octets in UTF-8.
const LONGEST_LABEL: usize = 64;

/// What of one language's block has been seen.
#[derive(Clone, Copy)]
struct Partial {
    start: usize,
    last_line: usize,
    kinds: u8,
}

/// All blocks in *text*, in which ASCII letters are lower case. One walk over its lines.
pub(super) fn blocks(interest: &Interest, text: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut partials: Vec<(u64, Partial)> = Vec::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive(|&octet| octet == b'\n').enumerate() {
        for label in label_text(line).map_or(&[][..], |text| interest.labels(text)) {
            let fresh = Partial {
                start,
                last_line: number,
                kinds: 0,
            };
            let place = partials.iter().position(|(language, _)| *language == label.language);
            let place = place.unwrap_or_else(|| {
                partials.push((label.language, fresh));
                partials.len() - 1
            });
            let partial = &mut partials[place].1;
            if number - partial.last_line > LINES_BETWEEN {
                *partial = fresh;
            }
            let (before, now) = (partial.kinds.count_ones(), (partial.kinds | label.kind).count_ones());
            partial.kinds |= label.kind;
            partial.last_line = number;
            if before < 2 && now == 2 {
                blocks.push(Block {
                    start: partial.start,
                    language: label.language,
                });
            }
        }
        start += line.len();
    }
    blocks
}

/// What stands before the colon of *line*, without quoting and blanks; none where no colon is near.
fn label_text(line: &[u8]) -> Option<&[u8]> {
    let near = &line[..line.len().min(LONGEST_LABEL)];
    let colon = near.iter().position(|&octet| octet == b':').or_else(|| {
        let fullwidth = "：".as_bytes();
        memchr::memmem::find(near, fullwidth)
    })?;
    let mut label = &near[..colon];
    while let Some(rest) = without_ornament(label, false) {
        label = rest;
    }
    while let Some(rest) = without_ornament(label, true) {
        label = rest;
    }
    (!label.is_empty()).then_some(label)
}

/// *label* without one blank, quote sign or star at its start or end; none if there is none.
fn without_ornament(label: &[u8], at_end: bool) -> Option<&[u8]> {
    const ORNAMENTS: [&[u8]; 9] = [
        b" ",
        b"\t",
        b">",
        b"*",
        b"|",
        b"\r",
        "\u{a0}".as_bytes(),
        "\u{202f}".as_bytes(),
        "\u{feff}".as_bytes(),
    ];
    ORNAMENTS.iter().find_map(|ornament| {
        if at_end {
            label.strip_suffix(*ornament)
        } else {
            label.strip_prefix(*ornament)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interest::{InterestSpec, LabelSpec};
    use proptest::prelude::*;

    fn interest() -> Interest {
        let labels = [
            (0, 0, "From"),
            (0, 1, "Sent"),
            (0, 1, "Date"),
            (0, 3, "Subject"),
            (1, 0, "Von"),
            (1, 1, "Gesendet"),
            (2, 0, "De"),
            (2, 1, "Envoyé"),
        ];
        let labels = labels.map(|(language, kind, text)| LabelSpec {
            language,
            kind,
            text: text.to_owned(),
        });
        Interest::new(&InterestSpec {
            labels: labels.to_vec(),
            ..InterestSpec::default()
        })
        .unwrap()
    }

    #[test]
    fn two_fields_of_one_language_near_each_other_are_a_block() {
        let cases: &[(&str, &[(usize, u64)])] = &[
            ("from: a\nsent: b\nsubject: c\n", &[(0, 1)]),
            ("hello\n> *from:* a\r\n> *date:* b\n", &[(6, 1)]),
            ("von: a\n\ngesendet: b", &[(0, 2)]),
            ("de\u{a0}: a\nenvoyé\u{a0}: b", &[(0, 4)]),
            ("from： a\nsubject： b", &[(0, 1)]),
            ("from: a\nfrom: b\n", &[]),
            ("sent: a\ndate: b\n", &[]),
            ("from: a\ngesendet: b\n", &[]),
            ("the from: a\nsent b\n", &[]),
            ("from: a\n1\n2\n3\n4\n5\nsent: b\n", &[]),
            ("from: a\n1\n2\n3\n4\nsent: b\n", &[(0, 1)]),
            (
                "from: a\nsent: b\n1\n2\n3\n4\n5\n6\nvon: c\ngesendet: d",
                &[(0, 1), (28, 2)],
            ),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<(usize, u64)> = blocks(&interest(), text.as_bytes())
                .iter()
                .map(|block| (block.start, block.language))
                .collect();
            assert_eq!(found, *expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_walked_to_its_end(pieces in prop::collection::vec(prop::sample::select(
            &["from", "sent", "von", ":", "\n", " ", ">", "*", "\u{a0}", "x"][..]), 0..80))
        {
            let text = pieces.concat();
            for block in blocks(&interest(), text.as_bytes()) {
                prop_assert!(block.start < text.len());
                prop_assert!(block.start == 0 || text.as_bytes()[block.start - 1] == b'\n');
            }
        }
    }
}
