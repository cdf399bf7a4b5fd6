//! Live interfaces in, frames out: a packet socket (AF_PACKET) with a ring of the third version (TPACKET_V3) for each.
//!
//! ```text
//! kernel -> filter -> ring (blocks of frames, in shared memory) -> lane (one interface, up or down) -> lanes -> frames in order
//! ```
//!
//! No frame is copied: [`Lanes::turn`] shows each where the kernel put it, and a block goes back when all of it was read. Memory is that
//! of the rings. A reader that is too slow leaves them full; the kernel then drops frames and counts them.
//!
//! Only `sys.rs` and `mapping.rs` hold code that the compiler does not check.

mod error;
pub use error::LiveError;

#[cfg(target_os = "linux")]
mod assembler;
#[cfg(target_os = "linux")]
mod block;
#[cfg(target_os = "linux")]
pub mod filter;
#[cfg(target_os = "linux")]
mod interface;
#[cfg(all(test, target_os = "linux"))]
mod interpreter;
#[cfg(target_os = "linux")]
mod lane;
#[cfg(target_os = "linux")]
mod lanes;
#[cfg(target_os = "linux")]
mod mapping;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
pub use filter::{Pass, MAIL_PORTS};
#[cfg(target_os = "linux")]
pub use lane::{Account, Lane, State};
#[cfg(target_os = "linux")]
pub use lanes::{Lanes, Turn};
#[cfg(target_os = "linux")]
pub use ring::{Fanout, Options, RING_OCTETS_MAX, RING_OCTETS_MIN};
