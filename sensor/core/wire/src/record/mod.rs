//! The records that leave the core: the transaction, and the session that turned to TLS.

pub mod community_id;
pub mod event;
pub mod id;
pub mod json;
pub mod time;
