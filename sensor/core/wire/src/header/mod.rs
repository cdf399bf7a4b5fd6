//! The header section of a mail (RFC 5322, RFC 6532): split, unfolded, and the fields that matter parsed.

pub mod encoded_word;
