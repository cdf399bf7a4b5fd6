//! Arbitrary octets as a dialogue: most of them choose among phrases that SMTP is made of, some stand for themselves.

use wire::frame::Timestamp;
use wire::interest::Interest;
use wire::limits::Limits;
use wire::record::event::{Event, FlowId};
use wire::smtp::context::Context;
use wire::smtp::session::{Beginning, Ending, Session};
use wire::tcp::segment::Endpoint;

use crate::{pieces, Choices, INTEREST};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What one side does.
#[derive(Clone, Debug)]
pub enum Turn<'a> {
    /// The client says this.
    Client(Cow<'a, [u8]>),
    /// The server says this.
    Server(Cow<'a, [u8]>),
    /// So many octets of the client were lost.
    ClientGap(u64),
    /// So many octets of the server were lost.
    ServerGap(u64),
}

/// What clients say.
pub const COMMANDS: &[&[u8]] = &[
    b"EHLO c.example\r\n",
    b"HELO c.example\r\n",
    b"LHLO c.example\r\n",
    b"MAIL FROM:<a@b.example> SIZE=9 RET=HDRS ENVID=q+3D\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<a+caf_=c=d.example@b.example>\r\n",
    b"RCPT TO:<c@d.example> NOTIFY=NEVER ORCPT=rfc822;e@f.example\r\n",
    b"RCPT TO:<\"odd one\"@d.example>\r\n",
    b"RCPT TO:<bad\r\n",
    b"DATA\r\n",
    b"BDAT 5\r\n",
    b"BDAT 5 LAST\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 99999999999999999999\r\n",
    b"hello",
    b"\r\n.\r\n",
    b".\r\n",
    b"\n.\n",
    b"\r.\r",
    b"From: a@b.example\r\nSubject: Fwd: x\r\nX-Forwarded-To: c@d.example\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n",
    b"Received: from x (y [192.0.2.1]) by z for <a@b>; Thu, 1 Jan 2026 00:00:00 +0000\r\n",
    b"..stuffed\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"QUIT\r\n",
    b"VRFY a\r\n",
    b"WHAT ever\r\n",
    b"STARTTLS\r\n",
    b"X-ANONYMOUSTLS\r\n",
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
    b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH LOGIN\r\n",
    b"AUTH CRAM-MD5\r\n",
    b"AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB\r\n",
    b"YW5u\r\n",
    b"*\r\n",
    b"XCLIENT ADDR=192.0.2.1 NAME=x\r\n",
    b"XFORWARD ADDR=IPv6:2001:db8::1 HELO=y\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x19",
    b"XEXCH50 4 2\r\n",
    b"\r\n",
    b"\n",
    b"\0",
];

/// What servers say.
pub const REPLIES: &[&[u8]] = &[
    b"220 mx.example ESMTP\r\n",
    b"220-a\r\n220 b\r\n",
    b"250 2.1.0 Ok\r\n",
    b"250-mx.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n",
    b"250-a\r\n",
    b"251-b\r\n250 c\r\n",
    b"354 go on\r\n",
    b"334 \r\n",
    b"235 2.7.0 in\r\n",
    b"535 5.7.8 no\r\n",
    b"450 4.2.0 later\r\n",
    b"452 full\r\n",
    b"500 what\r\n",
    b"550 5.1.1 unknown\r\n",
    b"554 5.7.1 no\r\n",
    b"421 4.3.0 bye\r\n",
    b"221 bye\r\n",
    b"250\r\n",
    b"25",
    b"nonsense\r\n",
    b"* OK IMAP\r\n",
    b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
    b"\r\n",
];

/// Reads *octets* as turns.
#[must_use]
pub fn turns(octets: &[u8]) -> Vec<Turn<'_>> {
    let mut choices = Choices(octets);
    let mut turns = Vec::new();
    while let Some(turn) = turn(&mut choices) {
        turns.push(turn);
    }
    turns
}

fn turn<'a>(choices: &mut Choices<'a>) -> Option<Turn<'a>> {
    let kind = choices.octet()?;
    Some(match kind {
        0..=119 => Turn::Client(Cow::Borrowed(COMMANDS[usize::from(kind) % COMMANDS.len()])),
        120..=209 => Turn::Server(Cow::Borrowed(REPLIES[usize::from(kind) % REPLIES.len()])),
        210..=224 => Turn::Client(own(choices)),
        225..=239 => Turn::Server(own(choices)),
        240..=247 => Turn::ClientGap(u64::from(choices.number())),
        248..=255 => Turn::ServerGap(u64::from(choices.number())),
    })
}

/// The fuzzer's own octets, or many of one: enough to go over a bound.
fn own<'a>(choices: &mut Choices<'a>) -> Cow<'a, [u8]> {
    match choices.octet().unwrap_or(0) {
        length @ 0..=199 => Cow::Borrowed(choices.octets(usize::from(length))),
        length => Cow::Owned(vec![choices.octet().unwrap_or(b'x'); usize::from(length - 199) * 16]),
    }
}

/// The records of a session in which *turns* came to pass, each side's octets cut into pieces of *cut* octets (0: whole).
#[must_use]
pub fn records(turns: &[Turn<'_>], beginning: Beginning, cut: usize, limits: &Limits) -> Vec<Event> {
    let interest: Arc<Interest> = Arc::clone(&INTEREST);
    let mut context = Context::new(interest, limits.clone());
    let mut session = Session::new(flow(), beginning, &mut context);
    let mut at = Timestamp(0);
    for turn in turns {
        at = at.plus_ns(1_000_000);
        match turn {
            Turn::Client(octets) => pieces(octets, cut).for_each(|piece| session.client(piece, at, &mut context)),
            Turn::Server(octets) => pieces(octets, cut).for_each(|piece| session.server(piece, at, &mut context)),
            Turn::ClientGap(octets) => session.client_gap(*octets, at, &mut context),
            Turn::ServerGap(octets) => session.server_gap(*octets, at, &mut context),
        }
    }
    session.close(Ending::Closed, at, &mut context);
    context.events
}

fn flow() -> FlowId {
    let end = |last, port| Endpoint {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        port,
    };
    FlowId {
        client: end(1, 40_000),
        server: end(2, 25),
        started_at: Timestamp(0),
    }
}
