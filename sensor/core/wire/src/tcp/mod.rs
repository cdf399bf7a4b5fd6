//! TCP as a span port shows it: segments in, ordered streams out.
//!
//! ```text
//! segment -> table (who, since when, how many) -> flow (in which order) -> Conversation
//!                |- embryo, roster, directory, clock    |- stream, assembler
//! ```
//!
//! The theory of the order between the two directions opens [`flow`]; that of bounds and expiry opens [`table`].

mod assembler;
mod clock;
pub mod conversation;
mod directory;
mod embryo;
pub mod flow;
mod roster;
pub mod segment;
pub mod seq;
mod stream;
pub mod table;

#[cfg(test)]
mod behaviours;
#[cfg(test)]
mod simulation;
