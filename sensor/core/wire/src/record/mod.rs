//! The records that leave the core (design 3.1): the transaction, and the session that turned to TLS.

pub mod event;
