//! What each mailbox sent and received: the part of the ledger that every mail passes.
//!
//! `sensor/ledger/traffic.py` and `windows.py` do the same plainly, say why, and are what this is tested against. Nothing here
//! knows Python, files or clocks.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod hops;
pub mod log;
pub mod population;
pub mod traffic;
