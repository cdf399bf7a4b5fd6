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

/// Octets of the longest field name that can be kept; RFC 5322 2.1.1 allows 998 to a line, real ones stay below 80.
const LONGEST_FIELD_NAME: usize = 128;

/// The bit that stands for the first octet of a name, the same for both cases of a letter.
const fn initial(octet: u8) -> u32 {
    1 << (octet & 31)
}

/// An [`InterestSpec`], made ready for searching. Built once, shared by every session.
#[derive(Debug)]
pub struct Interest {
    fields: HashMap<Vec<u8>, (), foldhash::fast::FixedState>,
    /// By length of a name, the low five bits that the names begin with, as bits: tells most other fields apart.
    field_initials: [u32; LONGEST_FIELD_NAME + 1],
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
        let mut field_initials = [0; LONGEST_FIELD_NAME + 1];
        for name in &spec.fields {
            let initials = field_initials
                .get_mut(name.len())
                .ok_or_else(|| format!("the field name {name:?} is longer than {LONGEST_FIELD_NAME} octets"))?;
            *initials |= name.bytes().next().map_or(0, initial);
            fields.insert(name.to_ascii_lowercase().into_bytes(), ());
        }
        Ok(Self {
            fields,
            field_initials,
            reverse_path_marks: matcher(&spec.reverse_path_marks)?,
            subject_prefixes: spec.subject_prefixes.clone(),
            body_marks: matcher(&spec.body_marks)?,
            any_body_mark: any_of(&spec.body_marks),
        })
    }

    /// True if the table names the field *name* (any case).
    #[must_use]
    pub fn wants_field(&self, name: &[u8]) -> bool {
        let initials = self.field_initials.get(name.len()).copied().unwrap_or(0);
        if initials & name.first().copied().map_or(0, initial) == 0 {
            return false;
        }
        let mut folded = [0_u8; LONGEST_FIELD_NAME];
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
        let Some(colon) = subject.char_indices().take(24).find(|(_, c)| matches!(c, ':' | '：')) else {
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
