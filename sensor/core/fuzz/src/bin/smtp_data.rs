//! Any octets as content behind DATA, against a reader that is plainly right: RFC 5321 4.5.2 by whole lines.
#![no_main]

use core_fuzz::pieces;
use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::smtp::data::{DataReader, Stop};

fuzz_target!(|octets: &[u8]| {
    let (expected, expected_used) = plainly(octets);
    let mut anomalies = [AnomalySet::default(); 2];
    for (cut, anomalies) in [0, 1].into_iter().zip(&mut anomalies) {
        let (content, used) = read(octets, cut, anomalies);
        assert_eq!(used, expected_used, "cut {cut}");
        // Without an end, the last octets may still wait to be understood.
        let sure = if used.is_some() { expected.len() } else { content.len() };
        assert_eq!(content, expected[..sure], "cut {cut}");
        assert!(content.len() + 4 >= expected.len());
    }
    assert_eq!(anomalies[0], anomalies[1]);
});

/// Content and octets used up to the end of data; lookalikes are passed over, as an honest server does.
fn read(octets: &[u8], cut: usize, anomalies: &mut AnomalySet) -> (Vec<u8>, Option<usize>) {
    let (mut reader, mut content, mut passed) = (DataReader::default(), Vec::new(), 0);
    for mut rest in pieces(octets, cut) {
        while !rest.is_empty() {
            let used = match reader.read(rest, anomalies, |_| true, |text| content.extend_from_slice(text)) {
                Some(Stop::End(used)) => return (content, Some(passed + used)),
                Some(Stop::Lookalike(used)) => used,
                None => rest.len(),
            };
            passed += used;
            rest = &rest[used..];
        }
    }
    (content, None)
}

/// Content and octets used; none if there is no end.
fn plainly(octets: &[u8]) -> (Vec<u8>, Option<usize>) {
    let (mut content, mut start) = (Vec::new(), 0);
    loop {
        let line_end = octets[start..].windows(2).position(|pair| pair == b"\r\n");
        let end = line_end.map_or(octets.len(), |at| start + at + 2);
        let line = &octets[start..end];
        if line == b".\r\n" {
            return (content, Some(end));
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        if line_end.is_none() {
            return (content, None);
        }
        start = end;
    }
}
