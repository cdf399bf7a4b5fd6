//! TCP as a span port shows it: segments in, ordered streams out.

pub mod segment;
pub mod seq;
