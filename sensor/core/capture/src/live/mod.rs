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

mod assembler;
mod block;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod error;
pub mod filter;
mod interface;
#[cfg(test)]
mod interpreter;
mod lane;
mod lanes;
#[cfg(target_os = "linux")]
mod mapping;
mod ring;
mod sharing;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(not(target_os = "linux"))]
use elsewhere::{mapping, sys};
pub use error::LiveError;
pub use filter::{Pass, MAIL_PORTS};
pub use lane::{Account, Lane, State};
pub use lanes::{Lanes, Turn};
pub use ring::{Fanout, Options, RING_OCTETS_MAX, RING_OCTETS_MIN};
pub use sys::give_up_rights;
