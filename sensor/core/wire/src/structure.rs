//! Shapes of a redirected mail that no field of its own tells of: its envelope says otherwise than its header.
//!
//! Only whether a mail is worth a look is decided here; what it means is the classifier's to say. Ordinary mail, sent by its
//! author to whom its last hop took it for, has none of these shapes.

use crate::message::Header;
use crate::record::event::ForwardPath;

/// What the envelope says, for the header to be held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    /// Something in the envelope alone is worth a look.
    pub touched: bool,
    /// The reverse-path; none where MAIL was not seen.
    pub reverse_path: Option<&'a str>,
    /// The forward-paths, whatever became of them.
    pub forward_paths: &'a [ForwardPath],
}

impl Envelope<'_> {
    /// True if the envelope shows that somebody on the way sent the mail on, alone or held against its *header*.
    ///
    /// *received_for* is whom the topmost trace line with a `for` clause took it for, and the first other one below.
    #[must_use]
    pub fn touches(&self, header: &Header, received_for: &[String]) -> bool {
        self.touched
            || self.forward_paths.iter().any(was_written_for_another)
            || self.is_sent_by_addressee(header)
            || self.was_delivered_elsewhere(header)
            || self.was_received_for_another(header, received_for)
    }

    /// The reverse-path is somebody the mail was written to, and not its author: a mailbox sends it on in its own name.
    fn is_sent_by_addressee(&self, header: &Header) -> bool {
        let Some(sender) = self.reverse_path.filter(|path| !path.is_empty()) else {
            return false;
        };
        let is_sender = |address: &String| address.eq_ignore_ascii_case(sender);
        header.to.iter().chain(&header.cc).any(is_sender) && !header.from.iter().chain(&header.sender).any(is_sender)
    }

    /// It was delivered already, to a mailbox that it does not go to now (RFC 9228).
    fn was_delivered_elsewhere(&self, header: &Header) -> bool {
        header.delivered_to.iter().any(|mailbox| !self.goes_to(mailbox))
    }

    /// A hop took the mail for another recipient: the last one that names any, or the one that a gateway's line stands above.
    /// Lists do that as well, and say that they are lists.
    fn was_received_for_another(&self, header: &Header, received_for: &[String]) -> bool {
        let is_copy = self.forward_paths.len() == 1 && header.list_id.is_none();
        is_copy && received_for.iter().any(|recipient| !self.goes_to(recipient))
    }

    fn goes_to(&self, address: &str) -> bool {
        self.forward_paths
            .iter()
            .any(|path| path.address.eq_ignore_ascii_case(address))
    }
}

/// ORCPT names another recipient than the RCPT it stands in (RFC 3461 4.2). Postfix sends it with all mail.
fn was_written_for_another(path: &ForwardPath) -> bool {
    path.orcpt.as_deref().is_some_and(|orcpt| {
        let original = orcpt.split_once(';').map_or(orcpt, |(_, original)| original);
        !original.eq_ignore_ascii_case(&path.address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    fn paths(addresses: &[&str]) -> Vec<ForwardPath> {
        let path = |address: &&str| ForwardPath {
            address: (*address).to_owned(),
            reply_code: None,
            accepted: true,
            orcpt: None,
        };
        addresses.iter().map(path).collect()
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_reverse_path_that_was_written_to_redirects() {
        type Case<'a> = (Option<&'a str>, &'a [&'a str], &'a [&'a str], bool);
        let cases: &[Case] = &[
            (
                Some("Info@corp.example"),
                &["peter@partner.example"],
                &["info@corp.example"],
                true,
            ),
            (
                Some("info@corp.example"),
                &["info@corp.example"],
                &["info@corp.example"],
                false,
            ),
            (
                Some("peter@partner.example"),
                &["peter@partner.example"],
                &["info@corp.example"],
                false,
            ),
            (Some(""), &["peter@partner.example"], &[""], false),
            (None, &["peter@partner.example"], &["info@corp.example"], false),
        ];
        for (reverse_path, from, to, expected) in cases {
            let header = Header {
                from: strings(from),
                to: strings(to),
                ..Header::default()
            };
            let envelope = Envelope {
                touched: false,
                reverse_path: *reverse_path,
                forward_paths: &paths(&["x@dst.example"]),
            };
            assert_eq!(envelope.touches(&header, &[]), *expected);
        }
    }

    #[test]
    fn a_recipient_that_was_written_for_another_redirects() {
        let cases: &[(Option<&str>, bool)] = &[
            (Some("rfc822;ann@corp.example"), true),
            (Some("rfc822;X@dst.example"), false),
            (Some("x@dst.example"), false),
            (None, false),
        ];
        for (orcpt, expected) in cases {
            let mut recipients = paths(&["x@dst.example"]);
            recipients[0].orcpt = orcpt.map(str::to_owned);
            let envelope = Envelope {
                forward_paths: &recipients,
                ..Envelope::default()
            };
            assert_eq!(envelope.touches(&Header::default(), &[]), *expected);
        }
    }

    #[test]
    fn a_delivery_or_a_hop_for_somebody_else_redirects() {
        type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], bool, bool);
        let cases: &[Case] = &[
            (&["x@dst.example"], &["ann@corp.example"], &[], false, true),
            (&["x@dst.example"], &["X@dst.example"], &[], false, false),
            (&["x@dst.example"], &[], &["ann@corp.example"], false, true),
            (&["x@dst.example"], &[], &["x@DST.example"], false, false),
            (
                &["x@dst.example"],
                &[],
                &["x@dst.example", "ann@corp.example"],
                false,
                true,
            ),
            (&["x@dst.example"], &[], &["ann@corp.example"], true, false),
            (
                &["x@dst.example", "y@dst.example"],
                &[],
                &["ann@corp.example"],
                false,
                false,
            ),
            (&["x@dst.example"], &[], &[], false, false),
        ];
        for (recipients, delivered_to, received_for, is_list, expected) in cases {
            let header = Header {
                delivered_to: strings(delivered_to),
                list_id: is_list.then(|| "team.corp.example".to_owned()),
                ..Header::default()
            };
            let envelope = Envelope {
                forward_paths: &paths(recipients),
                ..Envelope::default()
            };
            assert_eq!(
                envelope.touches(&header, &strings(received_for)),
                *expected,
                "{recipients:?} {delivered_to:?}"
            );
        }
    }
}
