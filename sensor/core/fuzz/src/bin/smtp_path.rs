//! Anything behind MAIL FROM: or RCPT TO:, and any xtext.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::smtp::path::{bare, xtext, Path};

fuzz_target!(|octets: &[u8]| {
    let arguments = [b"FROM:", octets].concat();
    let path = Path::parse(&arguments, b"FROM:").expect("the keyword is there");
    assert!(path.address.len() <= octets.len() * 3);
    assert!(path
        .parameters
        .iter()
        .all(|(name, _)| name.bytes().all(|octet| !octet.is_ascii_lowercase())));
    assert!(bare(octets).len() <= octets.len() * 3);
    assert!(xtext(octets).len() <= octets.len() * 3);
    let _ = Path::parse(octets, b"TO:");
});
