//! MIME is skimmed, not stored: names, types and sizes of parts, a digest, marks in the first text.
