//! SMTP, ESMTP and LMTP as both sides spoke it: two streams in, transactions out (RFC 5321, RFC 2033, RFC 3030).

pub mod auth;
pub(crate) mod client;
pub mod command;
pub mod context;
pub mod data;
pub mod draft;
mod drafts;
mod emit;
mod held;
pub mod line;
pub mod origin;
pub mod path;
pub mod queue;
mod reading;
pub mod recognise;
pub mod reply;
mod server;
pub mod session;
mod shed;
pub mod state;
mod suspect;
pub mod tls;
mod transfer;
