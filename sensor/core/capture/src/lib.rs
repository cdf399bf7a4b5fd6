//! Capture files in, frames out. The only crate of the core that does I/O.
