//! Any SASL exchange: a user name of some length comes out, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::smtp::auth::SaslExchange;

fuzz_target!(|octets: &[u8]| {
    let mut lines = octets.split(|octet| *octet == b'\n');
    let mut exchange = SaslExchange::start(lines.next().unwrap_or_default());
    lines.for_each(|line| exchange.response(line));
    if let Some(user) = exchange.into_user() {
        assert!(!user.is_empty() && user.len() <= 320);
        assert!(!user.contains(char::is_control));
    }
});
