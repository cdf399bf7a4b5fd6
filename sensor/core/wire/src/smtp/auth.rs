//! SASL exchanges inside AUTH (RFC 4954): the user name is drawn, every secret is dropped on the spot.
//!
//! The octets of an exchange are decoded into a buffer that never leaves this file; only a user name comes out, and only
//! a mechanism whose layout is known gives one. Passwords, digests and tokens are not kept, printed or counted.

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::DecodePaddingMode;
use base64::{alphabet, Engine};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Octets of a user name that are kept; RFC 4616 names no bound, mailbox names stay far below it.
const MAX_USER_OCTETS: usize = 320;

/// How a mechanism carries its user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    /// RFC 4616: authzid NUL authcid NUL password.
    Plain,
    /// The user name in the first response, the password in the second (draft-murchison-sasl-login).
    Login,
    /// RFC 2195: user name, blank, digest, in answer to a challenge.
    CramMd5,
    /// `user=NAME^Aauth=Bearer TOKEN^A^A`.
    Xoauth2,
    /// RFC 7628: `n,a=NAME,^A...`.
    Oauthbearer,
    /// RFC 5802: `n,,n=NAME,r=NONCE`.
    Scram,
    /// RFC 4422 appendix A: the authorization identity.
    External,
    /// Anything else: nothing is drawn.
    Opaque,
}

const MECHANISMS: &[(&[u8], Mechanism)] = &[
    (b"PLAIN", Mechanism::Plain),
    (b"LOGIN", Mechanism::Login),
    (b"CRAM-MD5", Mechanism::CramMd5),
    (b"XOAUTH2", Mechanism::Xoauth2),
    (b"OAUTHBEARER", Mechanism::Oauthbearer),
    (b"SCRAM-SHA-1", Mechanism::Scram),
    (b"SCRAM-SHA-1-PLUS", Mechanism::Scram),
    (b"SCRAM-SHA-256", Mechanism::Scram),
    (b"SCRAM-SHA-256-PLUS", Mechanism::Scram),
    (b"EXTERNAL", Mechanism::External),
];

/// One exchange, from AUTH to the reply that ends it.
#[derive(Debug)]
pub struct SaslExchange {
    mechanism: Mechanism,
    user: Option<String>,
    responses: u32,
    malformed: bool,
}

impl SaslExchange {
    /// Octets it holds.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.user.as_ref().map_or(0, String::len)
    }

    /// Starts with the arguments of AUTH: mechanism and perhaps an initial response (`=` for an empty one).
    #[must_use]
    pub fn start(arguments: &[u8]) -> Self {
        let mut words = arguments.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let name = words.next().unwrap_or_default();
        let mechanism = MECHANISMS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or(Mechanism::Opaque, |(_, mechanism)| *mechanism);
        let mut exchange = Self {
            mechanism,
            user: None,
            responses: 0,
            malformed: false,
        };
        match words.next() {
            None => {}
            Some(b"=") => exchange.responses = 1,
            Some(initial) => exchange.response(initial),
        }
        exchange
    }

    /// Takes a client line of the exchange. `*` cancels it (RFC 4954 4).
    pub fn response(&mut self, line: &[u8]) {
        let number = self.responses;
        self.responses = self.responses.saturating_add(1);
        let wanted = match self.mechanism {
            Mechanism::Opaque => false,
            Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5 => number == 0,
            // A failed OAuth exchange goes on with an empty response; the name stands in the first.
            Mechanism::Xoauth2 | Mechanism::Oauthbearer | Mechanism::Scram | Mechanism::External => number == 0,
        };
        if !wanted || line == b"*" {
            return;
        }
        let drawn = BASE64.decode(line.trim_ascii()).ok().and_then(|mut decoded| {
            let user = user_name(self.mechanism, &decoded).and_then(acceptable);
            // The buffer held a secret: it does not go back to the allocator with it.
            decoded.fill(0);
            user
        });
        self.malformed = drawn.is_none();
        self.user = drawn;
    }

    /// The user name, once the server accepted the exchange.
    #[must_use]
    pub fn into_user(self) -> Option<String> {
        self.user
    }

    /// True if a response that should hold the user name did not decode.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        self.malformed
    }
}

fn user_name(mechanism: Mechanism, decoded: &[u8]) -> Option<&[u8]> {
    match mechanism {
        Mechanism::Plain => {
            let mut parts = decoded.split(|octet| *octet == 0);
            let (_, user, _password) = (parts.next()?, parts.next()?, parts.next()?);
            Some(user)
        }
        Mechanism::Login | Mechanism::External => Some(decoded),
        Mechanism::CramMd5 => {
            // The digest is 32 hex digits; a name may hold blanks.
            let blank = decoded.iter().rposition(|octet| *octet == b' ')?;
            Some(&decoded[..blank])
        }
        Mechanism::Xoauth2 => between(decoded, b"user=", 0x01),
        Mechanism::Oauthbearer => between(decoded, b"a=", b','),
        Mechanism::Scram => between(decoded, b",n=", b','),
        Mechanism::Opaque => None,
    }
}

fn between<'a>(text: &'a [u8], start: &[u8], end: u8) -> Option<&'a [u8]> {
    let from = memchr::memmem::find(text, start)? + start.len();
    let length = memchr::memchr(end, &text[from..])?;
    Some(&text[from..from + length])
}

fn acceptable(user: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(user).ok()?;
    let fine = !text.is_empty() && text.len() <= MAX_USER_OCTETS && !text.chars().any(char::is_control);
    fine.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &str, responses: &[&str]) -> (Option<String>, bool) {
        let mut exchange = SaslExchange::start(arguments.as_bytes());
        for response in responses {
            exchange.response(response.as_bytes());
        }
        let malformed = exchange.is_malformed();
        (exchange.into_user(), malformed)
    }

    fn b64(text: &str) -> String {
        BASE64.encode(text)
    }

    #[test]
    fn each_mechanism_gives_its_user_name_and_nothing_else() {
        let user = Some("ann@corp.example".to_owned());
        let plain = b64("\0ann@corp.example\0s3cret");
        assert_eq!(run(&format!("PLAIN {plain}"), &[]), (user.clone(), false));
        assert_eq!(run("plain", &[&plain]), (user.clone(), false));
        assert_eq!(run("PLAIN", &[plain.trim_end_matches('=')]), (user.clone(), false));
        assert_eq!(
            run("LOGIN", &[&b64("ann@corp.example"), &b64("s3cret")]),
            (user.clone(), false)
        );
        assert_eq!(
            run(&format!("LOGIN {}", b64("ann@corp.example")), &[&b64("s3cret")]),
            (user.clone(), false)
        );
        assert_eq!(
            run("CRAM-MD5", &[&b64("ann@corp.example b913a602c7eda7a495b4e6e7334d3890")]),
            (user.clone(), false)
        );
        assert_eq!(
            run(
                &format!(
                    "XOAUTH2 {}",
                    b64("user=ann@corp.example\u{1}auth=Bearer t0ken\u{1}\u{1}")
                ),
                &[""]
            ),
            (user.clone(), false)
        );
        assert_eq!(
            run(
                &format!(
                    "OAUTHBEARER {}",
                    b64("n,a=ann@corp.example,\u{1}auth=Bearer t0ken\u{1}\u{1}")
                ),
                &[]
            ),
            (user.clone(), false)
        );
        assert_eq!(
            run(
                "SCRAM-SHA-256",
                &[&b64("n,,n=ann@corp.example,r=abc"), &b64("c=biws,r=abc,p=proof")]
            ),
            (user, false)
        );
    }

    #[test]
    fn broken_or_unknown_exchanges_give_no_name() {
        assert_eq!(run("PLAIN", &["not base64!"]), (None, true));
        assert_eq!(run("PLAIN", &[&b64("only one part")]), (None, true));
        assert_eq!(run("NTLM", &[&b64("anything")]), (None, false));
        assert_eq!(run("LOGIN", &["*"]), (None, false));
        assert_eq!(run("LOGIN", &[&b64("bad\nname")]), (None, true));
        assert_eq!(run("", &[]), (None, false));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let exchange = SaslExchange::start(format!("PLAIN {}", b64("\0ann\0s3cret")).as_bytes());
        assert!(!format!("{exchange:?}").contains("s3cret"));
    }

    proptest::proptest! {
        #[test]
        fn a_planted_password_never_comes_out(password in "[a-zA-Z0-9]{8,40}", junk in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let planted = format!("pw-{password}");
            for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "SCRAM-SHA-1", "OAUTHBEARER"] {
                let mut exchange = SaslExchange::start(mechanism.as_bytes());
                exchange.response(&junk);
                exchange.response(BASE64.encode(&planted).as_bytes());
                let user = exchange.into_user().unwrap_or_default();
                proptest::prop_assert!(!user.contains(&planted));
            }
        }
    }
}
