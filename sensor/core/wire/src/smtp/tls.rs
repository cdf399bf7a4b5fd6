//! What stays visible of a session that turns to TLS: the server name of its ClientHello (RFC 8446 4.1.2, RFC 6066 3).

/// Octets of a ClientHello that are looked at; with post-quantum key shares real ones reach 2 KiB.
const MAX_HELLO: usize = 16_384;

/// Collects the first handshake message of the client and draws its server name.
#[derive(Debug, Default)]
pub struct HelloReader {
    handshake: Vec<u8>,
    record: Vec<u8>,
    done: bool,
}

impl HelloReader {
    /// Takes client octets behind the switch to TLS; gives the server name when the ClientHello told one.
    pub fn feed(&mut self, octets: &[u8]) -> Option<String> {
        if self.done {
            return None;
        }
        self.record.extend_from_slice(&octets[..octets.len().min(MAX_HELLO)]);
        while let Some(length) = record_length(&self.record) {
            const HEADER: usize = 5;
            let Some(fragment) = self.record.get(HEADER..HEADER + length) else {
                break;
            };
            self.handshake.extend_from_slice(fragment);
            self.record.drain(..HEADER + length);
        }
        let broken = self.record.first().is_some_and(|kind| *kind != HANDSHAKE);
        let verdict = hello_body(&self.handshake);
        let full = self.record.len() + self.handshake.len() >= MAX_HELLO;
        if verdict.is_some() || broken || full {
            let name = verdict.and_then(server_name);
            *self = Self {
                done: true,
                ..Self::default()
            };
            return name;
        }
        None
    }

    /// Octets it holds.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.handshake.capacity() + self.record.capacity()
    }

    /// Octets were lost: there is no telling where the handshake goes on.
    pub fn gap(&mut self) {
        *self = Self {
            done: true,
            ..Self::default()
        };
    }
}

const HANDSHAKE: u8 = 22;

/// True if *octets* begin with the type of a TLS handshake record, which no SMTP command does.
#[must_use]
pub fn begins_handshake(octets: &[u8]) -> bool {
    octets.first() == Some(&HANDSHAKE)
}

/// True if *octets* start as a TLS handshake record does.
#[must_use]
pub fn looks_like_hello(octets: &[u8]) -> bool {
    matches!(octets, [HANDSHAKE, 3, 0..=4, _, _, 1, ..])
}

fn record_length(record: &[u8]) -> Option<usize> {
    match record {
        [HANDSHAKE, 3, _, high, low, ..] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// The body of the ClientHello once it is complete.
fn hello_body(handshake: &[u8]) -> Option<&[u8]> {
    let [1, a, b, c, body @ ..] = handshake else {
        return None;
    };
    body.get(..usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c))
}

fn server_name(body: &[u8]) -> Option<String> {
    let mut hello = Octets(body);
    hello.take(2 + 32)?;
    hello.vector::<1>()?;
    hello.vector::<2>()?;
    hello.vector::<1>()?;
    let mut extensions = Octets(hello.vector::<2>()?);
    loop {
        let kind = extensions.number::<2>()?;
        let body = extensions.vector::<2>()?;
        if kind == 0 {
            let mut names = Octets(Octets(body).vector::<2>()?);
            names.take(1).filter(|kind| kind[0] == 0)?;
            let name = std::str::from_utf8(names.vector::<2>()?).ok()?;
            let fine = !name.is_empty() && name.len() <= 255 && name.bytes().all(|octet| octet.is_ascii_graphic());
            return fine.then(|| name.to_ascii_lowercase());
        }
    }
}

/// A cursor over length-prefixed vectors (RFC 8446 3.4).
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<usize> {
        Some(
            self.take(N)?
                .iter()
                .fold(0, |number, octet| number << 8 | usize::from(*octet)),
        )
    }

    fn vector<const N: usize>(&mut self) -> Option<&'a [u8]> {
        let length = self.number::<N>()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(name: &[u8]) -> Vec<u8> {
        let mut sni = vec![0, 0];
        let entry = [&[0, 0, name.len() as u8][..], name].concat();
        let list = [&[0, entry.len() as u8][..], &entry].concat();
        sni.extend_from_slice(&[0, list.len() as u8]);
        sni.extend_from_slice(&list);
        let extensions = [&[0, 43, 0, 3, 2, 3, 4][..], &sni].concat();
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.push(0);
        body.extend_from_slice(&[0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        body.extend_from_slice(&extensions);
        [&[1, 0, 0, body.len() as u8][..], &body].concat()
    }

    fn record(fragment: &[u8]) -> Vec<u8> {
        [&[22, 3, 1, 0, fragment.len() as u8][..], fragment].concat()
    }

    #[test]
    fn the_server_name_is_drawn_whole_byte_by_byte_and_over_two_records() {
        let message = hello(b"MX.corp.example");
        let one = record(&message);
        let two = [record(&message[..20]), record(&message[20..])].concat();
        for stream in [one, two] {
            assert!(looks_like_hello(&stream));
            assert_eq!(HelloReader::default().feed(&stream), Some("mx.corp.example".to_owned()));
            let mut reader = HelloReader::default();
            let names: Vec<String> = stream.iter().filter_map(|octet| reader.feed(&[*octet])).collect();
            assert_eq!(names, ["mx.corp.example"]);
        }
    }

    #[test]
    fn no_name_no_hello_and_hostile_lengths_give_none() {
        assert_eq!(HelloReader::default().feed(&record(&hello(b""))), None);
        assert_eq!(HelloReader::default().feed(b"EHLO x\r\n"), None);
        let mut cut = hello(b"a.example");
        cut.truncate(60);
        cut[3] = 56;
        assert_eq!(HelloReader::default().feed(&record(&cut)), None);
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_in_bounded_memory(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut reader = HelloReader::default();
            let _ = reader.feed(&octets);
            let _ = reader.feed(&[&[22, 3, 1, 0xff, 0xff][..], &octets].concat());
            proptest::prop_assert!(reader.record.len() <= 2 * MAX_HELLO);
        }
    }
}
