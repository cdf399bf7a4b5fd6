//! Capture files and live interfaces in, frames out. The only crate of the core that does I/O.
//!
//! A capture is read in one pass from anything that can be read, a pipe included, in chunks that stay in the cache:
//!
//! ```text
//! stored octets -> compression -> reader (chunks, what is carried over) -> pcap | pcapng -> FrameBatch
//! ```
//!
//! The kind of a file is told by its first octets, never by its name. What can be read of a damaged file is read; what is
//! wrong with it becomes a [`Damage`] with its place. No input makes it panic, hang or grow: every bound is in [`bounds`].

// Allowed again in two files of `live`, which talk to the kernel.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
pub mod bounds;
mod byte_order;
mod compression;
mod damage;
pub mod live;
mod path;
mod pcap;
mod pcapng;
#[cfg(test)]
mod properties;
mod reader;
mod resync;
mod sniff;
#[cfg(test)]
mod testing;
mod window;

pub use batch::{FrameBatch, Frames};
pub use compression::Compression;
pub use damage::{Damage, DamageKind};
pub use path::{is_probably_capture, open_path};
pub use reader::{read_everything, CaptureReader, Condition};
pub use sniff::Format;
