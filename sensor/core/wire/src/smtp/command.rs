//! Command lines: the verb, and what stands behind it (RFC 5321 4.1.1 and the extensions that add verbs).

/// The verbs a session machine has to know, each with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// HELO, RFC 5321 4.1.1.1.
    Helo,
    /// EHLO, RFC 5321 4.1.1.1.
    Ehlo,
    /// LHLO, RFC 2033 4.1.
    Lhlo,
    /// MAIL, RFC 5321 4.1.1.2. SEND, SOML and SAML (RFC 821) open a transaction in the same way.
    Mail,
    /// RCPT, RFC 5321 4.1.1.3.
    Rcpt,
    /// DATA, RFC 5321 4.1.1.4.
    Data,
    /// BDAT, RFC 3030 2.
    Bdat,
    /// RSET, RFC 5321 4.1.1.5.
    Rset,
    /// QUIT, RFC 5321 4.1.1.10.
    Quit,
    /// AUTH, RFC 4954 4.
    Auth,
    /// STARTTLS, RFC 3207 4.
    Starttls,
    /// X-ANONYMOUSTLS, between Exchange servers: STARTTLS without a certificate check (MS-XLOGIN's sibling; no RFC).
    XAnonymousTls,
    /// XCLIENT, Postfix XCLIENT_README.
    Xclient,
    /// XFORWARD, Postfix XFORWARD_README.
    Xforward,
    /// XEXCH50, between Exchange servers: a payload of a told size follows the 354 reply.
    Xexch50,
    /// A verb that changes nothing: NOOP, VRFY, EXPN, HELP, ETRN, TURN, ATRN, BURL and vendors' own.
    Neutral,
    /// No verb that is known.
    Unknown,
}

/// Verb and table in one place: the longest first where one is a prefix of another does not matter, whole words compare.
const VERBS: &[(&[u8], Verb)] = &[
    (b"MAIL", Verb::Mail),
    (b"RCPT", Verb::Rcpt),
    (b"DATA", Verb::Data),
    (b"EHLO", Verb::Ehlo),
    (b"QUIT", Verb::Quit),
    (b"RSET", Verb::Rset),
    (b"BDAT", Verb::Bdat),
    (b"HELO", Verb::Helo),
    (b"LHLO", Verb::Lhlo),
    (b"AUTH", Verb::Auth),
    (b"STARTTLS", Verb::Starttls),
    (b"X-ANONYMOUSTLS", Verb::XAnonymousTls),
    (b"XCLIENT", Verb::Xclient),
    (b"XFORWARD", Verb::Xforward),
    (b"XEXCH50", Verb::Xexch50),
    (b"SEND", Verb::Mail),
    (b"SOML", Verb::Mail),
    (b"SAML", Verb::Mail),
    (b"NOOP", Verb::Neutral),
    (b"VRFY", Verb::Neutral),
    (b"EXPN", Verb::Neutral),
    (b"HELP", Verb::Neutral),
    (b"ETRN", Verb::Neutral),
    (b"TURN", Verb::Neutral),
    (b"ATRN", Verb::Neutral),
    (b"BURL", Verb::Neutral),
    (b"X-EXPS", Verb::Neutral),
    (b"X-LINK2STATE", Verb::Neutral),
    (b"XSHADOW", Verb::Neutral),
    (b"XSHADOWREQUEST", Verb::Neutral),
    (b"XQDISCARD", Verb::Neutral),
    (b"XPROXY", Verb::Neutral),
    (b"XPROXYTO", Verb::Neutral),
    (b"XPROXYFROM", Verb::Neutral),
    (b"XSESSIONPARAMS", Verb::Neutral),
    (b"XRSTINFO", Verb::Neutral),
    (b"XADR", Verb::Neutral),
    (b"XSTA", Verb::Neutral),
    (b"XCIR", Verb::Neutral),
    (b"XGEN", Verb::Neutral),
];

/// A command line taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// What it asks.
    pub verb: Verb,
    /// What stands behind the verb, without blanks at either end.
    pub arguments: &'a [u8],
}

impl<'a> Command<'a> {
    /// Takes *line* (without its line end) apart. Verbs compare without case (RFC 5321 2.4). Any line is a command.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Self {
        let line = line.trim_ascii();
        let end = memchr::memchr3(b' ', b'\t', b':', line).unwrap_or(line.len());
        let (word, arguments) = line.split_at(end);
        let verb = VERBS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map_or(Verb::Unknown, |(_, verb)| *verb);
        Self {
            verb,
            arguments: arguments.trim_ascii(),
        }
    }
}

/// True if *line* can hardly be anything but an SMTP command: used where the place in the dialogue is unknown.
#[must_use]
pub fn is_unmistakable(line: &[u8]) -> bool {
    let command = Command::parse(line);
    let arguments = command.arguments;
    match command.verb {
        Verb::Mail => starts_with(arguments, b"FROM:"),
        Verb::Rcpt => starts_with(arguments, b"TO:"),
        Verb::Helo | Verb::Ehlo | Verb::Lhlo => {
            !arguments.is_empty() && arguments.len() <= 255 && !arguments.contains(&b' ')
        }
        Verb::Data | Verb::Rset | Verb::Quit | Verb::Starttls | Verb::XAnonymousTls => arguments.is_empty(),
        Verb::Bdat => bdat_size(arguments).is_some(),
        Verb::Auth => !arguments.is_empty() && arguments[0].is_ascii_uppercase(),
        Verb::Xclient | Verb::Xforward => arguments.contains(&b'='),
        Verb::Xexch50 => payload_size(arguments).is_some(),
        Verb::Neutral | Verb::Unknown => false,
    }
}

/// True if *text* starts with the ASCII *prefix*, without case.
#[must_use]
pub fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Size and LAST of a BDAT command (RFC 3030 2); none if it does not parse.
#[must_use]
pub fn bdat_size(arguments: &[u8]) -> Option<(u64, bool)> {
    let mut words = arguments.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let size = decimal(words.next()?)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"LAST") => true,
        Some(_) => return None,
    };
    words.next().is_none().then_some((size, last))
}

/// Size of an XEXCH50 payload: its first argument.
#[must_use]
pub fn payload_size(arguments: &[u8]) -> Option<u64> {
    decimal(arguments.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    // RFC 3030 names no bound; 20 digits hold any u64 and a larger number is no size.
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_read_without_case_and_with_sloppy_blanks() {
        for (line, verb, arguments) in [
            (&b"MAIL FROM:<a@b>"[..], Verb::Mail, &b"FROM:<a@b>"[..]),
            (b"mail  from: <a@b> ", Verb::Mail, b"from: <a@b>"),
            (b"rcpt\tTO:<x>", Verb::Rcpt, b"TO:<x>"),
            (b"DATA", Verb::Data, b""),
            (b"DATA ", Verb::Data, b""),
            (b"DATABASE", Verb::Unknown, b""),
            (b"", Verb::Unknown, b""),
            (b"X-ANONYMOUSTLS", Verb::XAnonymousTls, b""),
            (b"\xff\xfe", Verb::Unknown, b""),
        ] {
            assert_eq!(Command::parse(line), Command { verb, arguments }, "{line:?}");
        }
    }

    #[test]
    fn a_bdat_size_is_a_number_and_at_most_last() {
        assert_eq!(bdat_size(b"86"), Some((86, false)));
        assert_eq!(bdat_size(b"0 LAST"), Some((0, true)));
        assert_eq!(bdat_size(b"86 last"), Some((86, true)));
        for bad in [
            &b""[..],
            b"-1",
            b"86 LAST 1",
            b"86 FIRST",
            b"99999999999999999999999",
            b"0x10",
            b"18446744073709551616",
        ] {
            assert_eq!(bdat_size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn prose_is_no_unmistakable_command() {
        for prose in [
            &b"Mail from the king"[..],
            b"data about",
            b"help me",
            b"quit smoking",
            b"hello world",
            b"EHLO two words",
        ] {
            assert!(!is_unmistakable(prose), "{prose:?}");
        }
        for command in [
            &b"MAIL FROM:<>"[..],
            b"quit",
            b"EHLO mx.example",
            b"BDAT 10 LAST",
            b"RSET",
        ] {
            assert!(is_unmistakable(command), "{command:?}");
        }
    }
}
