//! What a session tells: one value per record.

use std::net::IpAddr;

use crate::anomaly::AnomalySet;
use crate::frame::Timestamp;
use crate::message::MessageFacts;
use crate::tcp::segment::Endpoint;

/// What the core emits, in the order in which it became known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// One mail transaction, whatever became of it.
    Transaction(Box<Transaction>),
    /// A session that turned to TLS: what stayed visible.
    Session(Box<TlsSession>),
}

impl Event {
    /// The flow it belongs to.
    #[must_use]
    pub const fn flow(&self) -> &FlowId {
        match self {
            Self::Transaction(transaction) => &transaction.flow,
            Self::Session(session) => &session.flow,
        }
    }
}

/// The flow a record belongs to; `client` is the SMTP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    /// The side that sends commands.
    pub client: Endpoint,
    /// The side that replies.
    pub server: Endpoint,
    /// Packet time of the first segment seen: with the endpoints it tells apart two uses of the same 5-tuple.
    pub started_at: Timestamp,
}

/// The protocol by the client's greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HELO (RFC 5321), or no greeting seen.
    Smtp,
    /// EHLO.
    Esmtp,
    /// LHLO (RFC 2033).
    Lmtp,
}

impl Protocol {
    /// The name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Esmtp => "esmtp",
            Self::Lmtp => "lmtp",
        }
    }
}

/// What is known of the session when a record is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// None where neither greeting nor any sign of the protocol was seen.
    pub protocol: Option<Protocol>,
    /// The client's name from HELO, EHLO or LHLO, or the one XCLIENT/XFORWARD told.
    pub helo: Option<String>,
    /// User name of a successful AUTH. Never a secret.
    pub auth_user: Option<String>,
    /// True where what follows was read inside TLS (relay, milter); on the wire a TLS session has no transactions.
    pub tls: bool,
    /// The real client by XCLIENT, XFORWARD or PROXY, else the flow's client.
    pub client_ip: Option<IpAddr>,
    /// 0 for the session's first transaction.
    pub transaction_index: u32,
}

/// One RCPT with its own verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardPath {
    /// Bare address as given, domain in lower case.
    pub address: String,
    /// Code of the reply to RCPT; over LMTP, of the recipient's own final reply once it came. None: never seen.
    pub reply_code: Option<u16>,
    /// True if this recipient was accepted, and over LMTP also delivered.
    pub accepted: bool,
    /// ORCPT parameter, decoded (RFC 3461 4.2), e.g. `rfc822;ann@corp.example`.
    pub orcpt: Option<String>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took responsibility for at least one recipient.
    Delivered,
    /// Refused for good: 5yz at MAIL, at every RCPT, at DATA or after the content.
    Rejected,
    /// Refused for now: 4yz.
    Deferred,
    /// Given up by RSET, a new greeting, QUIT, TLS or a lost connection before the content was complete.
    Aborted,
    /// The deciding reply was never seen.
    Unknown,
}

impl Outcome {
    /// The name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Deferred => "deferred",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
        }
    }
}

/// A server's reply, its lines joined by a blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits (RFC 5321 4.2).
    pub code: u16,
    /// Enhanced status code, e.g. `5.7.1` (RFC 3463, RFC 2034).
    pub enhanced: Option<String>,
    /// The text, cut at [`crate::limits::Limits::reply_text_octets`].
    pub text: String,
}

/// What the capture did not show of this record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Octets of this transaction that were never seen, both directions.
    pub missing_octets: u64,
    /// Only one direction of the flow was captured.
    pub one_sided: bool,
    /// The capture began, or resumed after a loss, inside the session: earlier commands are unknown.
    pub midstream: bool,
    /// The capture or the flow ended before the transaction did, or what was held of it was shed.
    pub truncated: bool,
}

/// One mail transaction (RFC 5321 3.3) as it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Packet time of MAIL (of the first sign of the transaction, if MAIL was lost).
    pub started_at: Timestamp,
    /// Packet time of the deciding reply, or of the last sign of the transaction.
    pub ended_at: Timestamp,
    /// Where it went.
    pub flow: FlowId,
    /// In which session.
    pub session: SessionFacts,
    /// Bare reverse-path, `""` for `<>`; none where MAIL was lost.
    pub reverse_path: Option<String>,
    /// Parameters of MAIL, names in upper case, decoded values (xtext, RFC 3461 4), none for a bare keyword; in order.
    pub reverse_path_params: Vec<(String, Option<String>)>,
    /// Every RCPT.
    pub forward_paths: Vec<ForwardPath>,
    /// What became of it.
    pub outcome: Outcome,
    /// The reply that decided it.
    pub reply: Option<Reply>,
    /// What the content told; none where no content was transferred.
    pub message: Option<Box<MessageFacts>>,
    /// True if the reverse-path, subject, fields, structure or body holds anything the artifact table names.
    pub touched: bool,
    /// What was not seen.
    pub completeness: Completeness,
    /// What was odd.
    pub anomalies: AnomalySet,
}

/// A session that turned to TLS: what stayed visible of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// Packet time of the first segment seen.
    pub started_at: Timestamp,
    /// Packet time of the last segment seen.
    pub ended_at: Timestamp,
    /// Where it went.
    pub flow: FlowId,
    /// What was told before TLS.
    pub session: SessionFacts,
    /// `starttls`, `x-anonymoustls` or `implicit`.
    pub tls_start: &'static str,
    /// Server name indication of the ClientHello (RFC 6066 3).
    pub sni: Option<String>,
    /// Octets from client to server, clear text included.
    pub client_octets: u64,
    /// Octets from server to client.
    pub server_octets: u64,
    /// What was not seen.
    pub completeness: Completeness,
    /// What was odd.
    pub anomalies: AnomalySet,
}
