//! Envelope paths and the parameters behind them (RFC 5321 4.1.2; xtext: RFC 3461 4).

/// Why a path or its parameters are not as the grammar wants them; what could be read is still given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Bare address: local part as written, domain in lower case; empty for the null reverse-path.
    pub address: String,
    /// Parameters in order: name in upper case, value as written.
    pub parameters: Vec<(String, Option<String>)>,
    /// False if something had to be guessed.
    pub well_formed: bool,
}

/// Parameters of one command; real clients send under ten.
pub const MAX_PARAMETERS: usize = 64;

impl Path {
    /// Octets it holds.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        let parameter = |(name, value): &(String, Option<String>)| {
            size_of::<(String, Option<String>)>() + name.len() + value.as_ref().map_or(0, String::len)
        };
        self.address.len() + self.parameters.iter().map(parameter).sum::<usize>()
    }

    /// Reads what follows MAIL or RCPT: *keyword* (`FROM:` or `TO:`), a path, parameters. None if the keyword is not there.
    #[must_use]
    pub fn parse(arguments: &[u8], keyword: &[u8]) -> Option<Self> {
        let name = keyword.strip_suffix(b":").unwrap_or(keyword);
        let start = super::command::starts_with(arguments, name).then_some(name.len())?;
        let after_name = arguments[start..].trim_ascii_start();
        let after_colon = after_name.strip_prefix(b":")?;
        // RFC 5321 4.1.1.2 allows no blank here; many clients write one.
        let raw = after_colon.trim_ascii_start();
        let strict = after_name.len() == arguments.len() - start && raw.len() == after_colon.len();
        let (inside, rest, bracketed) = split_path(raw);
        let address = bare(inside);
        let (parameters, parameters_fine) = parameters(rest);
        Some(Self {
            well_formed: bracketed && strict && parameters_fine && is_plausible(&address),
            address,
            parameters,
        })
    }

    /// Value of the parameter *name* (upper case).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.as_deref())
    }
}

/// The octets between the angle brackets, what follows them, and whether the brackets were there.
fn split_path(raw: &[u8]) -> (&[u8], &[u8], bool) {
    let Some(inside) = raw.strip_prefix(b"<") else {
        let end = raw.iter().position(|octet| *octet == b' ').unwrap_or(raw.len());
        return (&raw[..end], &raw[end..], false);
    };
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in inside.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return (&inside[..at], &inside[at + 1..], true),
            _ => {}
        }
    }
    let end = memchr::memchr(b'>', inside).unwrap_or(inside.len());
    (&inside[..end], inside.get(end + 1..).unwrap_or_default(), false)
}

/// The bare address in *path*, which may stand in angle brackets.
#[must_use]
pub fn address_in(path: &[u8]) -> String {
    let path = path.trim_ascii();
    if path.starts_with(b"<") {
        bare(split_path(path).0)
    } else {
        bare(path)
    }
}

/// The bare address in *path*: without a source route (RFC 5321 Appendix C), the domain in lower case.
#[must_use]
pub fn bare(path: &[u8]) -> String {
    let path = path.trim_ascii();
    let mailbox = match path.first() {
        Some(b'@') => memchr::memchr(b':', path).map_or(path, |colon| &path[colon + 1..]),
        _ => path,
    };
    let text = String::from_utf8_lossy(mailbox);
    match text.rfind('@') {
        None => text.into_owned(),
        Some(at) => {
            let (local, domain) = text.split_at(at);
            let mut address = String::with_capacity(text.len());
            address.push_str(local);
            if domain.is_ascii() {
                address.extend(domain.chars().map(|c| c.to_ascii_lowercase()));
            } else {
                address.push_str(&domain.to_lowercase());
            }
            address
        }
    }
}

fn is_plausible(address: &str) -> bool {
    address.is_empty()
        || address.eq_ignore_ascii_case("postmaster")
        || address.find('@').is_some_and(|at| at > 0 && at + 1 < address.len())
}

fn parameters(rest: &[u8]) -> (Vec<(String, Option<String>)>, bool) {
    let mut fine = rest.is_empty() || rest[0] == b' ';
    let mut found = Vec::new();
    for word in rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        if found.len() == MAX_PARAMETERS {
            fine = false;
            break;
        }
        let (name, value) = match memchr::memchr(b'=', word) {
            None => (word, None),
            Some(equals) => (&word[..equals], Some(&word[equals + 1..])),
        };
        fine &= !name.is_empty() && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-');
        found.push(parameter(name, value));
    }
    (found, fine)
}

/// A parameter whose *name* and *value* are as a command has them: its name in upper case, its value decoded.
#[must_use]
pub fn parameter(name: &[u8], value: Option<&[u8]>) -> (String, Option<String>) {
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let value = value.map(|value| decode_value(&name, value));
    (name, value)
}

/// Decodes the value where its parameter is defined as xtext: ENVID and ORCPT (RFC 3461 4.2, 4.4), AUTH (RFC 4954 5).
fn decode_value(name: &str, value: &[u8]) -> String {
    match name {
        "ENVID" | "ORCPT" | "AUTH" => xtext(value),
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

/// Undoes xtext (RFC 3461 4): `+` and two upper case hex digits. What is no xtext stays as written.
#[must_use]
pub fn xtext(text: &[u8]) -> String {
    if memchr::memchr(b'+', text).is_none() {
        return String::from_utf8_lossy(text).into_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at..] {
            [b'+', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(high) << 4 | hex(low));
                at += 3;
            }
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(line: &str) -> Path {
        Path::parse(line.as_bytes(), b"FROM:").expect("the keyword is there")
    }

    #[test]
    fn paths_come_out_bare_with_a_lower_case_domain() {
        for (line, address, well_formed) in [
            ("FROM:<Ann.Lee@Corp.EXAMPLE>", "Ann.Lee@corp.example", true),
            ("FROM:<>", "", true),
            ("from:<a@b>", "a@b", true),
            ("FROM: <a@b>", "a@b", false),
            ("FROM :<a@b>", "a@b", false),
            ("FROM:a@b SIZE=3", "a@b", false),
            ("FROM:<@x.example,@y.example:a@b>", "a@b", true),
            ("FROM:<\"a>b\\\"@c\"@D>", "\"a>b\\\"@c\"@d", true),
            ("FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]", true),
            ("FROM:<a@[IPv6:2001:DB8::1]>", "a@[ipv6:2001:db8::1]", true),
            ("FROM:<a@b", "a@b", false),
            ("FROM:<Jürgen@Exämple.COM>", "Jürgen@exämple.com", true),
            ("FROM:", "", false),
        ] {
            let path = mail(line);
            assert_eq!(path.address, address, "{line}");
            assert_eq!(path.well_formed, well_formed, "{line}");
        }
        assert_eq!(Path::parse(b"the king", b"FROM:"), None);
    }

    #[test]
    fn parameters_keep_their_order_and_xtext_is_undone_where_it_is_defined() {
        let path =
            mail("FROM:<a@b> SIZE=1024 body=8BITMIME SMTPUTF8 ENVID=QQ+2B314159 AUTH=e+3Dmc2@example.com RET=HDRS");
        let expected = [
            ("SIZE", Some("1024")),
            ("BODY", Some("8BITMIME")),
            ("SMTPUTF8", None),
            ("ENVID", Some("QQ+314159")),
            ("AUTH", Some("e=mc2@example.com")),
            ("RET", Some("HDRS")),
        ];
        let got: Vec<_> = path
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        assert_eq!(got, expected);
        assert!(path.well_formed);
        let path = Path::parse(b"TO:<x@y> NOTIFY=NEVER ORCPT=rfc822;ann+2Bx@corp.example", b"TO:").unwrap();
        assert_eq!(path.parameter("ORCPT"), Some("rfc822;ann+x@corp.example"));
    }

    #[test]
    fn an_address_stands_in_angle_brackets_or_alone() {
        for (path, address) in [
            ("<Ann@B.Example>", "Ann@b.example"),
            ("Ann@B.Example", "Ann@b.example"),
            (" <@x.example:a@b> ", "a@b"),
            ("<>", ""),
            ("", ""),
            ("\"a b>\"@c", "\"a b>\"@c"),
            ("<\"a b>\"@c>", "\"a b>\"@c"),
        ] {
            assert_eq!(address_in(path.as_bytes()), address, "{path}");
        }
    }

    #[test]
    fn broken_xtext_stays_as_written() {
        assert_eq!(xtext(b"a+"), "a+");
        assert_eq!(xtext(b"a+4"), "a+4");
        assert_eq!(xtext(b"a+zz+41"), "a+zzA");
    }

    proptest::proptest! {
        #[test]
        fn any_octets_give_a_path_or_none(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let mut line = b"FROM:<".to_vec();
            line.extend_from_slice(&octets);
            let _ = Path::parse(&line, b"FROM:");
            let _ = Path::parse(&octets, b"TO:");
        }
    }
}
