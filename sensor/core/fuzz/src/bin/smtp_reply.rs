//! Any stream as lines, and these as replies: the same however it was cut, and short enough.
#![no_main]

use core_fuzz::{pieces, small_limits};
use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::limits::Limits;
use wire::smtp::line::LineReader;
use wire::smtp::reply::{ReplyReader, WholeReply};

fuzz_target!(|octets: &[u8]| {
    let limits = small_limits();
    let whole = replies(octets, 0, &limits);
    assert!(whole
        .0
        .iter()
        .all(|whole| whole.reply.text.len() <= limits.reply_text_octets));
    assert_eq!(replies(octets, 1, &limits), whole);
});

fn replies(octets: &[u8], cut: usize, limits: &Limits) -> (Vec<WholeReply>, AnomalySet) {
    let (mut lines, mut reader) = (LineReader::default(), ReplyReader::default());
    let (mut replies, mut anomalies) = (Vec::new(), AnomalySet::default());
    for piece in pieces(octets, cut) {
        let mut rest = piece;
        while let Some((line, behind)) = lines.next(rest, limits) {
            assert!(line.octets.len() <= limits.line_octets);
            replies.extend(reader.line(&line, true, limits, &mut anomalies));
            let used = rest.len() - behind.len();
            rest = &rest[used..];
        }
        assert!(lines.partial().len() <= limits.line_octets + 1);
    }
    (replies, anomalies)
}
