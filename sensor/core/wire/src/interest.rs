//! What the artifact table wants kept: header fields, subject prefixes, envelope and body patterns.
//!
//! The table itself belongs to the classifier. The core only finds out, while it reads a mail anyway, which of the named
//! things occur at all, so that ordinary mail pays nothing for rows it does not touch.

use aho_corasick::{packed, AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;

/// The patterns as the classifier names them.
#[derive(Clone, Debug, Default)]
pub struct InterestSpec {
    /// Names of header fields to keep raw; compared without case.
    pub fields: Vec<String>,
    /// Substrings of a reverse-path, lower case ASCII; compared without case.
    pub reverse_path_marks: Vec<String>,
    /// Subject prefixes without their colon, e.g. `fwd`, already folded to lower case by the caller.
    pub subject_prefixes: Vec<String>,
    /// Texts to look for in the first text part of the body; compared with ASCII case folded.
    pub body_marks: Vec<String>,
}

/// An [`InterestSpec`], made ready for searching. Built once, shared by every session.
#[derive(Debug)]
pub struct Interest {
    fields: HashMap<Vec<u8>, (), foldhash::fast::FixedState>,
    longest_field_name: usize,
    reverse_path_marks: Option<AhoCorasick>,
    subject_prefixes: Vec<String>,
    body_marks: Option<AhoCorasick>,
    /// The same patterns for a vector search that only says whether there is any; none where that can't be had.
    any_body_mark: Option<packed::Searcher>,
}

impl Interest {
    /// Prepares *spec*. Fails with the matcher's own words where the patterns are too many or too large.
    pub fn new(spec: &InterestSpec) -> Result<Self, String> {
        let mut fields = HashMap::with_hasher(foldhash::fast::FixedState::default());
        let mut longest_field_name = 0;
        for name in &spec.fields {
            longest_field_name = longest_field_name.max(name.len());
            fields.insert(name.to_ascii_lowercase().into_bytes(), ());
        }
        Ok(Self {
            fields,
            longest_field_name,
            reverse_path_marks: matcher(&spec.reverse_path_marks)?,
            subject_prefixes: spec.subject_prefixes.clone(),
            body_marks: matcher(&spec.body_marks)?,
            any_body_mark: any_of(&spec.body_marks),
        })
    }

    /// True if the table names the field *name* (any case).
    #[must_use]
    pub fn wants_field(&self, name: &[u8]) -> bool {
        if name.len() > self.longest_field_name || name.len() > 128 {
            return false;
        }
        let mut folded = [0_u8; 128];
        let folded = &mut folded[..name.len()];
        folded.copy_from_slice(name);
        folded.make_ascii_lowercase();
        self.fields.contains_key(&*folded)
    }

    /// True if *reverse_path* holds one of the marks.
    #[must_use]
    pub fn marks_reverse_path(&self, reverse_path: &[u8]) -> bool {
        self.reverse_path_marks
            .as_ref()
            .is_some_and(|marks| marks.is_match(reverse_path))
    }

    /// True if the decoded *subject* starts with a known prefix, optional blanks, and a colon (`:` or fullwidth `：`).
    #[must_use]
    pub fn marks_subject(&self, subject: &str) -> bool {
        let subject = subject.trim_start();
        let Some(colon) = subject
            .char_indices()
            .take(24)
            .find(|(_, c)| matches!(c, ':' | '：'))
        else {
            return false;
        };
        let prefix = subject[..colon.0].trim_end().to_lowercase();
        self.subject_prefixes.contains(&prefix)
    }

    /// False if *text*, in which ASCII letters are lower case, surely holds no body mark. Several times as fast as finding which.
    #[must_use]
    pub fn may_mark_body(&self, text: &[u8]) -> bool {
        let any = self.any_body_mark.as_ref();
        self.body_marks.is_some() && any.is_none_or(|any| any.find(text).is_some())
    }

    /// The matcher over body marks; a match's pattern number is the index into [`InterestSpec::body_marks`].
    #[must_use]
    pub fn body_marks(&self) -> Option<&AhoCorasick> {
        self.body_marks.as_ref()
    }
}

fn any_of(patterns: &[String]) -> Option<packed::Searcher> {
    packed::Config::new()
        .builder()
        .extend(patterns.iter().map(|pattern| pattern.to_ascii_lowercase()))
        .build()
}

fn matcher(patterns: &[String]) -> Result<Option<AhoCorasick>, String> {
    if patterns.is_empty() {
        return Ok(None);
    }
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(patterns)
        .map(Some)
        .map_err(|error| error.to_string())
}
