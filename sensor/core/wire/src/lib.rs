//! The pure core of the sensor: frames in, mail transactions out.
//!
//! Nothing here opens a socket or a file or asks a clock. Bytes and their packet time come in as arguments, facts go
//! out as values, so a capture file, a live ring, a relay and a test drive the same code and get the same answer.
//!
//! The road of one mail, and who may know whom:
//!
//! ```text
//! engine -> link -> ip -> tcp -> smtp -> header, mime
//! inline                      -> smtp -> header, mime        everyone -> anomaly, limits, counters, frame
//! ```

#![forbid(unsafe_code)]

pub mod anomaly;
pub mod content;
pub mod counters;
pub mod decoder;
pub mod engine;
pub mod frame;
pub mod header;
pub mod inline;
pub mod interest;
pub mod ip;
pub mod limits;
pub mod link;
pub mod message;
pub mod mime;
pub mod record;
pub mod share;
pub mod smtp;
pub mod structure;
pub mod tcp;
