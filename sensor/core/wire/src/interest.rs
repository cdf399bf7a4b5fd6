//! What the artifact table wants kept: header fields, subject prefixes, envelope and body patterns.
//!
//! The table itself belongs to the classifier. The core only finds out, while it reads a mail anyway, which of the named
//! things occur at all, so that ordinary mail pays nothing for rows it does not touch.

use aho_corasick::{packed, AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;

/// The patterns as the classifier names them.
#[derive(Clone, Debug, Default)]
pub struct InterestSpec {
    /// Names of header fields to keep raw; compared without case. A mail that has one is touched.
    pub fields: Vec<String>,
    /// Names of further fields to keep, which do not touch: they only help to judge what something else showed.
    pub context_fields: Vec<String>,
    /// Substrings of a reverse-path, lower case ASCII; compared without case.
    pub reverse_path_marks: Vec<String>,
    /// Subject prefixes without their colon, e.g. `fwd`, already folded to lower case by the caller.
    pub subject_prefixes: Vec<String>,
    /// Texts to look for in the first text part of the body; compared with ASCII case folded.
    pub body_marks: Vec<String>,
    /// Subject prefixes of replies, lower case: a subject that is its Thread-Topic behind any other prefix touches.
    pub reply_prefixes: Vec<String>,
    /// The labels of quoted header blocks, in the languages of mail clients.
    pub labels: Vec<LabelSpec>,
    /// Texts in a reply that refuses a mail, which say that forwarding is what was refused; ASCII case folded.
    pub reply_marks: Vec<String>,
}

/// One label of a quoted header block, e.g. `Betreff` for the subject in German.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSpec {
    /// The number of its language, below [`LANGUAGES_MAX`].
    pub language: u32,
    /// Which field it stands for, below [`LABEL_KINDS_MAX`]: author, date, recipients, subject.
    pub kind: u32,
    /// The text before the colon.
    pub text: String,
}

/// Languages are told apart by the bits of one word; mail clients are translated into some fifty.
pub const LANGUAGES_MAX: u32 = 64;
/// Fields that a label can stand for.
pub const LABEL_KINDS_MAX: u32 = 8;

/// What a label says: its language and the field it stands for, each as one bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The bit of its language.
    pub language: u64,
    /// The bit of its field.
    pub kind: u8,
}

/// What is done with a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// No row of the table names it.
    Not,
    /// It is kept, and tells nothing alone.
    AsContext,
    /// It is kept, and the mail is touched.
    AndTouch,
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
    /// By name in lower case: true for those that touch.
    fields: HashMap<Vec<u8>, bool, foldhash::fast::FixedState>,
    /// By length of a name, the low five bits that the names begin with, as bits: tells most other fields apart.
    field_initials: [u32; LONGEST_FIELD_NAME + 1],
    reverse_path_marks: Option<AhoCorasick>,
    subject_prefixes: Vec<String>,
    body_marks: Option<AhoCorasick>,
    /// The same patterns for vector searches that only say whether there is any; none where that can't be had.
    any_body_mark: Option<Vec<packed::Searcher>>,
    reply_prefixes: Vec<String>,
    labels: HashMap<Vec<u8>, Vec<Label>, foldhash::fast::FixedState>,
    reply_marks: Vec<String>,
}

impl Interest {
    /// Prepares *spec*. Fails with the matcher's own words where the patterns are too many or too large.
    pub fn new(spec: &InterestSpec) -> Result<Self, String> {
        let mut fields = HashMap::with_hasher(foldhash::fast::FixedState::default());
        let mut field_initials = [0; LONGEST_FIELD_NAME + 1];
        let context = spec.context_fields.iter().map(|name| (name, false));
        for (name, touches) in context.chain(spec.fields.iter().map(|name| (name, true))) {
            let initials = field_initials
                .get_mut(name.len())
                .ok_or_else(|| format!("the field name {name:?} is longer than {LONGEST_FIELD_NAME} octets"))?;
            *initials |= name.bytes().next().map_or(0, initial);
            fields.insert(name.to_ascii_lowercase().into_bytes(), touches);
        }
        Ok(Self {
            fields,
            field_initials,
            reverse_path_marks: matcher(&spec.reverse_path_marks)?,
            subject_prefixes: spec.subject_prefixes.clone(),
            body_marks: matcher(&spec.body_marks)?,
            any_body_mark: any_of(&spec.body_marks),
            reply_prefixes: spec.reply_prefixes.clone(),
            labels: by_text(&spec.labels)?,
            reply_marks: spec.reply_marks.iter().map(|mark| mark.to_ascii_lowercase()).collect(),
        })
    }

    /// What to do with the field *name* (any case).
    #[must_use]
    pub fn keeps_field(&self, name: &[u8]) -> Keep {
        let initials = self.field_initials.get(name.len()).copied().unwrap_or(0);
        if initials & name.first().copied().map_or(0, initial) == 0 {
            return Keep::Not;
        }
        let mut folded = [0_u8; LONGEST_FIELD_NAME];
        let folded = &mut folded[..name.len()];
        folded.copy_from_slice(name);
        folded.make_ascii_lowercase();
        match self.fields.get(&*folded) {
            Some(true) => Keep::AndTouch,
            Some(false) => Keep::AsContext,
            None => Keep::Not,
        }
    }

    /// True if *reverse_path* holds one of the marks.
    #[must_use]
    pub fn marks_reverse_path(&self, reverse_path: &[u8]) -> bool {
        self.reverse_path_marks
            .as_ref()
            .is_some_and(|marks| marks.is_match(reverse_path))
    }

    /// True if the decoded *subject* starts with a known prefix, optional blanks, and a colon (`:` or fullwidth `：`). Tags in
    /// brackets that gateways put before it are passed over; a prefix may stand in brackets with its whole subject.
    #[must_use]
    pub fn marks_subject(&self, subject: &str) -> bool {
        subject_prefix(subject).is_some_and(|prefix| self.subject_prefixes.contains(&prefix))
    }

    /// True if *subject* is *topic*, Outlook's subject without prefixes, behind a prefix that is not a reply's.
    #[must_use]
    pub fn marks_topic(&self, subject: &str, topic: &str) -> bool {
        let (subject, topic) = (subject.trim(), topic.trim());
        let is_longer = !topic.is_empty() && subject.len() > topic.len();
        is_longer
            && subject.ends_with(topic)
            && subject_prefix(subject).is_some_and(|prefix| !self.reply_prefixes.contains(&prefix))
    }

    /// True if the *text* of a reply says that it is forwarding what was refused.
    #[must_use]
    pub fn marks_reply(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.reply_marks.iter().any(|mark| text.contains(mark.as_str()))
    }

    /// What the label *text*, in which ASCII letters are lower case, may stand for.
    #[must_use]
    pub fn labels(&self, text: &[u8]) -> &[Label] {
        self.labels.get(text).map_or(&[], Vec::as_slice)
    }

    /// False if *text*, in which ASCII letters are lower case, surely holds no body mark. Several times as fast as finding which.
    #[must_use]
    pub fn may_mark_body(&self, text: &[u8]) -> bool {
        let any = self.any_body_mark.as_ref();
        self.body_marks.is_some() && any.is_none_or(|any| any.iter().any(|some| some.find(text).is_some()))
    }

    /// The matcher over body marks; a match's pattern number is the index into [`InterestSpec::body_marks`].
    #[must_use]
    pub fn body_marks(&self) -> Option<&AhoCorasick> {
        self.body_marks.as_ref()
    }
}

/// What stands before the first colon of *subject*, in lower case, behind tags such as `[EXT]`; none if no colon is near.
fn subject_prefix(subject: &str) -> Option<String> {
    const TAGS_MAX: usize = 3;
    const TAG_CHARS_MAX: usize = 32;
    const PREFIX_CHARS_MAX: usize = 24;
    let mut rest = subject.trim_start_matches(is_unseen);
    for _ in 0..TAGS_MAX {
        if let Some(prefix) = prefix_in_brackets(rest) {
            return Some(prefix);
        }
        let Some(tag) = rest.strip_prefix('[') else { break };
        let Some((end, _)) = tag.char_indices().take(TAG_CHARS_MAX).find(|(_, c)| *c == ']') else {
            break;
        };
        rest = tag[end + 1..].trim_start_matches(is_unseen);
    }
    let mut near = rest.char_indices().take(PREFIX_CHARS_MAX);
    let (colon, _) = near.find(|(_, c)| matches!(c, ':' | '：'))?;
    Some(without_counter(rest[..colon].trim_end()).to_lowercase())
}

/// *prefix* without how often: `Re[2]`, `RE(2)`, `Re^2`.
fn without_counter(prefix: &str) -> &str {
    const DIGITS_MAX: usize = 3;
    let (inner, opening) = match prefix.as_bytes().last() {
        Some(b']') => (&prefix[..prefix.len() - 1], '['),
        Some(b')') => (&prefix[..prefix.len() - 1], '('),
        _ => (prefix, '^'),
    };
    let before = inner.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = inner.len() - before.len();
    let name = before.strip_suffix(opening);
    name.filter(|_| (1..=DIGITS_MAX).contains(&digits)).unwrap_or(prefix)
}

/// Blanks, and the marks that clients of languages written to the left put before a subject.
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The prefix of clients that wrote a forward's whole subject into brackets: `[Fwd: Offer]`, in every language.
fn prefix_in_brackets(subject: &str) -> Option<String> {
    const PREFIXES: [&str; 2] = ["fwd", "fw"];
    let text = subject.strip_prefix('[')?;
    let is_one = |prefix: &&&str| {
        let head = text.get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)) && text[prefix.len()..].starts_with(':')
    };
    PREFIXES.iter().find(is_one).map(|prefix| (*prefix).to_owned())
}

fn by_text(specs: &[LabelSpec]) -> Result<HashMap<Vec<u8>, Vec<Label>, foldhash::fast::FixedState>, String> {
    let mut labels: HashMap<Vec<u8>, Vec<Label>, _> = HashMap::with_hasher(foldhash::fast::FixedState::default());
    for spec in specs {
        if spec.language >= LANGUAGES_MAX || spec.kind >= LABEL_KINDS_MAX {
            return Err(format!(
                "the label {:?} is of a language or kind out of range",
                spec.text
            ));
        }
        let key = spec.text.to_ascii_lowercase().into_bytes();
        labels.entry(key).or_default().push(Label {
            language: 1 << spec.language,
            kind: 1 << spec.kind,
        });
    }
    Ok(labels)
}

/// The packed matcher takes 64 patterns at most and builds nothing for more; half as many keep its buckets small.
const PATTERNS_PACKED: usize = 32;

fn any_of(patterns: &[String]) -> Option<Vec<packed::Searcher>> {
    let mut folded: Vec<_> = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    folded.sort_unstable();
    folded.dedup();
    let packed = |some: &[String]| packed::Config::new().builder().extend(some).build();
    folded.chunks(PATTERNS_PACKED).map(packed).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_body_marks_are_still_searched_for_by_vectors() {
        let body_marks: Vec<String> = (0..300).map(|number| format!("Mark number {number}!")).collect();
        let interest = Interest::new(&InterestSpec {
            body_marks: body_marks.clone(),
            ..InterestSpec::default()
        })
        .unwrap();
        assert!(interest.any_body_mark.is_some());
        assert!(!interest.may_mark_body(b"mark number 300!"));
        for mark in &body_marks {
            assert!(interest.may_mark_body(format!("x {} y", mark.to_ascii_lowercase()).as_bytes()));
        }
    }

    fn interest() -> Interest {
        Interest::new(&InterestSpec {
            fields: vec!["X-Forwarded-To".to_owned(), "Both".to_owned()],
            context_fields: vec!["Precedence".to_owned(), "Both".to_owned()],
            subject_prefixes: vec!["fw".to_owned(), "转发".to_owned()],
            reply_prefixes: vec!["re".to_owned()],
            reply_marks: vec!["External Forwarding".to_owned()],
            ..InterestSpec::default()
        })
        .unwrap()
    }

    #[test]
    fn a_field_touches_is_context_or_is_not_kept() {
        let interest = interest();
        assert_eq!(interest.keeps_field(b"x-forwarded-TO"), Keep::AndTouch);
        assert_eq!(interest.keeps_field(b"precedence"), Keep::AsContext);
        assert_eq!(interest.keeps_field(b"both"), Keep::AndTouch);
        assert_eq!(interest.keeps_field(b"Subject"), Keep::Not);
        assert_eq!(interest.keeps_field(b""), Keep::Not);
    }

    #[test]
    fn a_prefix_counts_before_its_colon_and_behind_tags() {
        let cases: &[(&str, bool)] = &[
            ("FW: x", true),
            ("  fw : x", true),
            ("转发：x", true),
            ("[EXT] [List-1] Fw: x", true),
            ("[a][b][c][d] Fw: x", false),
            ("[open Fw: x", false),
            ("Fw[2]: x", true),
            ("FW(12): x", true),
            ("fw^3 : x", true),
            ("Fw[]: x", false),
            ("Fw[2345]: x", false),
            ("Fw[2): x", false),
            ("[Fw: x]", true),
            ("[EXT] [FW: a subject longer than any tag can be]", true),
            ("[Fw x]", false),
            ("[fwd-list: x] y", false),
            ("[F\u{fc}", false),
            ("Re: [Fw: x]", false),
            ("\u{200f}\u{202b}FW: x", true),
            ("Re: Fw: x", false),
            ("fw x", false),
            ("", false),
        ];
        for (subject, expected) in cases {
            assert_eq!(interest().marks_subject(subject), *expected, "{subject}");
        }
    }

    #[test]
    fn a_topic_behind_a_prefix_touches_unless_the_prefix_is_a_replys() {
        let cases: &[(&str, &str, bool)] = &[
            ("Přep: Plan", "Plan", true),
            ("RE: Plan", "Plan", false),
            ("Plan", "Plan", false),
            ("New Plan", "Plan", false),
            ("X: Plan", "", false),
            ("X: Other", "Plan", false),
        ];
        for (subject, topic, expected) in cases {
            assert_eq!(
                interest().marks_topic(subject, topic),
                *expected,
                "{subject} of {topic}"
            );
        }
    }

    #[test]
    fn a_refusal_of_forwarding_is_known_by_its_text() {
        assert!(interest().marks_reply("550 Your organization does not allow EXTERNAL forwarding"));
        assert!(!interest().marks_reply("550 no such user"));
    }

    #[test]
    fn a_label_out_of_range_is_refused() {
        let label = |language, kind| LabelSpec {
            language,
            kind,
            text: "Von".to_owned(),
        };
        let of = |label| {
            Interest::new(&InterestSpec {
                labels: vec![label],
                ..InterestSpec::default()
            })
        };
        assert_eq!(
            of(label(3, 1)).unwrap().labels(b"von"),
            [Label { language: 8, kind: 2 }]
        );
        assert!(of(label(LANGUAGES_MAX, 0)).is_err());
        assert!(of(label(0, LABEL_KINDS_MAX)).is_err());
    }
}
