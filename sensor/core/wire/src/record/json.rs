//! Records as JSON (design of the record: `docs/records.md`): one object, one line, keys in a fixed order.

use std::net::IpAddr;

use serde::ser::{SerializeMap, Serializer};
use serde::Serialize;
use serde_json::value::RawValue;

use super::community_id::community_id;
use super::event::{Completeness, Event, FlowId, SessionFacts, TlsSession, Transaction};
use super::id::record_id;
use super::time::rfc3339;
use crate::anomaly::AnomalySet;
use crate::message::{Attachment, Header, MessageFacts};

/// Version of the record's shape.
pub const SCHEMA: u32 = 1;

/// What a record carries that the session did not know.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Name of this sensor.
    pub sensor: &'a str,
    /// `pcap`, `live`, `relay`, `milter` or `journal`.
    pub tap: &'a str,
}

/// Appends *event* to *out* as one line. *forwarding* is the transaction's `forwarding` block; sessions have none.
pub fn write_line(
    out: &mut Vec<u8>,
    event: &Event,
    origin: Origin<'_>,
    forwarding: &RawValue,
) -> serde_json::Result<()> {
    match event {
        Event::Transaction(transaction) => {
            serde_json::to_writer(&mut *out, &transaction_view(transaction, origin, forwarding))?
        }
        Event::Session(session) => serde_json::to_writer(&mut *out, &session_view(session, origin))?,
    }
    out.push(b'\n');
    Ok(())
}

#[derive(Serialize)]
struct TransactionView<'a> {
    record: &'static str,
    schema: u32,
    id: String,
    started_at: String,
    ended_at: String,
    sensor: &'a str,
    tap: &'a str,
    flow: FlowView,
    session: SessionView<'a>,
    reverse_path: Option<&'a str>,
    #[serde(serialize_with = "parameters")]
    reverse_path_params: &'a [(String, Option<String>)],
    forward_paths: Vec<ForwardPathView<'a>>,
    outcome: &'static str,
    reply: Option<ReplyView<'a>>,
    size_octets: Option<u64>,
    header: Option<HeaderView<'a>>,
    attachments: Vec<AttachmentView<'a>>,
    body_digest: Option<&'a str>,
    forwarding: &'a RawValue,
    completeness: CompletenessView,
    anomalies: Vec<&'static str>,
}

#[derive(Serialize)]
struct TlsSessionView<'a> {
    record: &'static str,
    schema: u32,
    id: String,
    started_at: String,
    ended_at: String,
    sensor: &'a str,
    tap: &'a str,
    flow: FlowView,
    session: SessionView<'a>,
    tls_start: &'static str,
    sni: Option<&'a str>,
    octets_client: u64,
    octets_server: u64,
    completeness: CompletenessView,
    anomalies: Vec<&'static str>,
}

#[derive(Serialize)]
struct FlowView {
    community_id: String,
    src_ip: IpAddr,
    src_port: u16,
    dst_ip: IpAddr,
    dst_port: u16,
}

#[derive(Serialize)]
struct SessionView<'a> {
    protocol: Option<&'static str>,
    helo: Option<&'a str>,
    auth_user: Option<&'a str>,
    tls: bool,
    client_ip: Option<IpAddr>,
    transaction_index: u32,
}

#[derive(Serialize)]
struct ForwardPathView<'a> {
    address: &'a str,
    reply_code: Option<u16>,
    accepted: bool,
    orcpt: Option<&'a str>,
}

#[derive(Serialize)]
struct ReplyView<'a> {
    code: u16,
    enhanced: Option<&'a str>,
    text: &'a str,
}

#[derive(Serialize)]
struct HeaderView<'a> {
    message_id: Option<&'a str>,
    from: &'a [String],
    sender: Option<&'a str>,
    to: &'a [String],
    cc: &'a [String],
    reply_to: &'a [String],
    subject: Option<&'a str>,
    date: Option<&'a str>,
    in_reply_to: Option<&'a str>,
    references: &'a [String],
    resent_from: &'a [String],
    delivered_to: &'a [String],
    list_id: Option<&'a str>,
    auto_submitted: Option<&'a str>,
    received_count: u32,
    thread_topic: Option<&'a str>,
}

#[derive(Serialize)]
struct AttachmentView<'a> {
    filename: Option<&'a str>,
    content_type: &'a str,
    size_octets: u64,
}

#[derive(Serialize)]
struct CompletenessView {
    missing_octets: u64,
    one_sided: bool,
    midstream: bool,
    truncated: bool,
}

/// A parameter given twice keeps its first value: a JSON object has each key once.
fn parameters<S: Serializer>(parameters: &&[(String, Option<String>)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (index, (name, value)) in parameters.iter().enumerate() {
        if !parameters[..index].iter().any(|(earlier, _)| earlier == name) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

fn transaction_view<'a>(
    transaction: &'a Transaction,
    origin: Origin<'a>,
    forwarding: &'a RawValue,
) -> TransactionView<'a> {
    let message = transaction.message.as_deref();
    TransactionView {
        record: "transaction",
        schema: SCHEMA,
        id: transaction_id(transaction),
        started_at: rfc3339(transaction.started_at),
        ended_at: rfc3339(transaction.ended_at),
        sensor: origin.sensor,
        tap: origin.tap,
        flow: flow_view(&transaction.flow),
        session: session_facts(&transaction.session),
        reverse_path: transaction.reverse_path.as_deref(),
        reverse_path_params: &transaction.reverse_path_params,
        forward_paths: transaction
            .forward_paths
            .iter()
            .map(|path| ForwardPathView {
                address: &path.address,
                reply_code: path.reply_code,
                accepted: path.accepted,
                orcpt: path.orcpt.as_deref(),
            })
            .collect(),
        outcome: transaction.outcome.name(),
        reply: transaction.reply.as_ref().map(|reply| ReplyView {
            code: reply.code,
            enhanced: reply.enhanced.as_deref(),
            text: &reply.text,
        }),
        size_octets: message.and_then(MessageFacts::transferred_octets),
        header: message.map(|message| header_view(&message.header)),
        attachments: message.map_or_else(Vec::new, |message| {
            message.body.attachments.iter().map(attachment_view).collect()
        }),
        body_digest: message.and_then(|message| message.body.digest.as_deref()),
        forwarding,
        completeness: completeness_view(transaction.completeness),
        anomalies: slugs(transaction.anomalies),
    }
}

fn session_view<'a>(session: &'a TlsSession, origin: Origin<'a>) -> TlsSessionView<'a> {
    TlsSessionView {
        record: "session",
        schema: SCHEMA,
        id: session_id(session),
        started_at: rfc3339(session.started_at),
        ended_at: rfc3339(session.ended_at),
        sensor: origin.sensor,
        tap: origin.tap,
        flow: flow_view(&session.flow),
        session: session_facts(&session.session),
        tls_start: session.tls_start,
        sni: session.sni.as_deref(),
        octets_client: session.client_octets,
        octets_server: session.server_octets,
        completeness: completeness_view(session.completeness),
        anomalies: slugs(session.anomalies),
    }
}

/// Identifier of a transaction's record.
#[must_use]
pub fn transaction_id(transaction: &Transaction) -> String {
    record_id(&transaction.flow, "transaction", transaction.session.transaction_index)
}

/// Identifier of a session's record.
#[must_use]
pub fn session_id(session: &TlsSession) -> String {
    record_id(&session.flow, "session", 0)
}

fn flow_view(flow: &FlowId) -> FlowView {
    FlowView {
        community_id: community_id(flow.client, flow.server),
        src_ip: flow.client.address,
        src_port: flow.client.port,
        dst_ip: flow.server.address,
        dst_port: flow.server.port,
    }
}

fn session_facts(session: &SessionFacts) -> SessionView<'_> {
    SessionView {
        protocol: session.protocol.map(super::event::Protocol::name),
        helo: session.helo.as_deref(),
        auth_user: session.auth_user.as_deref(),
        tls: session.tls,
        client_ip: session.client_ip,
        transaction_index: session.transaction_index,
    }
}

fn header_view(header: &Header) -> HeaderView<'_> {
    HeaderView {
        message_id: header.message_id.as_deref(),
        from: &header.from,
        sender: header.sender.as_deref(),
        to: &header.to,
        cc: &header.cc,
        reply_to: &header.reply_to,
        subject: header.subject.as_deref(),
        date: header.date.as_deref(),
        in_reply_to: header.in_reply_to.as_deref(),
        references: &header.references,
        resent_from: &header.resent_from,
        delivered_to: &header.delivered_to,
        list_id: header.list_id.as_deref(),
        auto_submitted: header.auto_submitted.as_deref(),
        received_count: header.received_count,
        thread_topic: header.thread_topic.as_deref(),
    }
}

fn attachment_view(attachment: &Attachment) -> AttachmentView<'_> {
    AttachmentView {
        filename: attachment.filename.as_deref(),
        content_type: &attachment.content_type,
        size_octets: attachment.size_octets,
    }
}

const fn completeness_view(completeness: Completeness) -> CompletenessView {
    CompletenessView {
        missing_octets: completeness.missing_octets,
        one_sided: completeness.one_sided,
        midstream: completeness.midstream,
        truncated: completeness.truncated,
    }
}

fn slugs(anomalies: AnomalySet) -> Vec<&'static str> {
    anomalies.iter().map(crate::anomaly::Anomaly::slug).collect()
}
