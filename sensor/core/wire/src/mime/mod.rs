//! MIME is skimmed, not stored: names, types and sizes of parts, a digest, marks in the first text.
//!
//! The theory, in the words of RFC 2046 5.1:
//!
//! * A body is one **leaf**, or a **multipart**: a preamble, parts behind **delimiter lines** (`--boundary`), a closing
//!   delimiter (`--boundary--`) and an epilogue. Multiparts nest; a delimiter of an outer one ends whatever is open inside.
//! * The line end before a delimiter belongs to the delimiter, so the last line end of a chunk, and a line that may yet turn
//!   out to be a delimiter, are held back until they are known. Nothing else is ever copied or kept but the first octets of
//!   the first text.
//! * `message/rfc822` and `message/global` parts are leaves here. They are counted and listed; what stands inside, header,
//!   attachments and multiparts of its own, is the attached mail's and not this one's, and is not looked into.
//! * `BodyFacts::parts` counts the parts behind delimiter lines, multiparts among them; a mail that is not multipart has 1.
//!
//! Who knows whom:
//!
//! ```text
//! skimmer -> part -> text -> labels, transfer -> base64, quoted_printable
//! skimmer -> delimiter, part_header, digest       part -> content_type -> parameters -> cursor
//! ```

mod base64;
mod content_type;
mod cursor;
mod delimiter;
mod digest;
mod labels;
mod parameters;
mod part;
mod part_header;
mod quoted_printable;
mod skimmer;
mod text;
mod transfer;

pub use skimmer::BodySkimmer;
