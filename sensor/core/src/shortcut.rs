//! The plain part of a relayed dialogue, followed and observed in one crossing: `wire::inline::shortcut` with Python's types.

use std::sync::Mutex;

use pyo3::prelude::*;
use wire::frame::Timestamp;
use wire::inline::shortcut::{self, Asked, Envelope, LineEnd, Passage, Stage};
use wire::inline::Speaker;

use crate::inline::{Fed, Inline, Octets};
use crate::reading::lock;

/// Flags of what became of a piece, as `sensor/_core.pyi` tells them; `TAKEN` once for each dot that was accepted.
mod flag {
    pub const REFUSED: usize = 0;
    pub const PASSED: usize = 1;
    pub const JUDGE: usize = 2;
    pub const DOT: usize = 4;
    pub const UNSEEN: usize = 8;
    pub const TAKEN: usize = 16;
}

/// What ends content.
const DOT: &[u8] = b".\r\n";

/// One session's plain dialogue: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core")]
pub struct Shortcut {
    core: Py<Inline>,
    judges: bool,
    inner: Mutex<Followed>,
}

struct Followed {
    shortcut: shortcut::Shortcut,
    /// What it is observed as; none if it isn't, or isn't any more.
    session: Option<u64>,
}

#[pymethods]
impl Shortcut {
    #[allow(clippy::too_many_arguments)] // each is a keyword of its own in Python
    #[new]
    #[pyo3(signature = (core, session, *, judges, lmtp, passes_content, content, in_mail, recipients))]
    fn new(
        core: Py<Inline>,
        session: Option<u64>,
        judges: bool,
        lmtp: bool,
        passes_content: bool,
        content: Option<&[u8]>,
        in_mail: bool,
        recipients: usize,
    ) -> Self {
        let stage = content.map_or(Stage::Commands, |before| Stage::Content(LineEnd::of(before)));
        let mail = Envelope {
            is_open: in_mail,
            recipients,
        };
        let shortcut = shortcut::Shortcut::new(stage, mail, lmtp, passes_content);
        Self {
            core,
            judges,
            inner: Mutex::new(Followed { shortcut, session }),
        }
    }

    #[pyo3(signature = (data, at_ns, /))]
    fn client(&self, data: Octets<'_>, at_ns: i64) -> usize {
        let octets = data.octets();
        let followed = &mut *lock(&self.inner);
        match followed.shortcut.client(octets) {
            Passage::Refused => flag::REFUSED,
            Passage::Whole => flag::PASSED | self.feed(followed, octets, Speaker::Client, at_ns),
            Passage::UpToDot if self.judges => {
                let content = &octets[..octets.len() - DOT.len()];
                flag::JUDGE | self.feed(followed, content, Speaker::Client, at_ns)
            }
            Passage::UpToDot => {
                followed.shortcut.end();
                flag::PASSED | flag::DOT | self.feed(followed, octets, Speaker::Client, at_ns)
            }
        }
    }

    #[pyo3(signature = (at_ns, /))]
    fn end(&self, at_ns: i64) -> usize {
        let followed = &mut *lock(&self.inner);
        followed.shortcut.end();
        flag::PASSED | flag::DOT | self.feed(followed, DOT, Speaker::Client, at_ns)
    }

    #[pyo3(signature = (data, at_ns, /))]
    fn server(&self, data: Octets<'_>, at_ns: i64) -> usize {
        let octets = data.octets();
        let followed = &mut *lock(&self.inner);
        let Some(taken) = followed.shortcut.server(octets) else {
            return flag::REFUSED;
        };
        flag::PASSED | (taken * flag::TAKEN) | self.feed(followed, octets, Speaker::Server, at_ns)
    }

    #[getter]
    fn is_answered(&self) -> bool {
        lock(&self.inner).shortcut.stand().awaited.is_empty()
    }

    fn stand(&self) -> (Option<&'static [u8]>, Vec<&'static str>, bool, usize) {
        let followed = lock(&self.inner);
        let stand = followed.shortcut.stand();
        let awaited = stand.awaited.iter().copied().map(name_of).collect();
        (
            content_of(stand.stage),
            awaited,
            stand.mail.is_open,
            stand.mail.recipients,
        )
    }
}

impl Shortcut {
    /// Lets the observer see *octets*. One that fails sees no more; what passes does not depend on it.
    fn feed(&self, followed: &mut Followed, octets: &[u8], by: Speaker, at_ns: i64) -> usize {
        let Some(session) = followed.session else {
            return 0;
        };
        match self.core.get().fed(session, octets, by, Timestamp(at_ns)) {
            Fed::Seen => 0,
            Fed::Closed => {
                followed.session = None;
                0
            }
            Fed::Failed => {
                followed.session = None;
                flag::UNSEEN
            }
        }
    }
}

/// What stands before the next octet of content, where content is open.
const fn content_of(stage: Stage) -> Option<&'static [u8]> {
    match stage {
        Stage::Content(LineEnd::CrLf) => Some(b"\r\n"),
        Stage::Content(LineEnd::Lf) => Some(b"\n"),
        Stage::Content(LineEnd::Amid) => Some(b""),
        Stage::Commands | Stage::DataAsked => None,
    }
}

const fn name_of(asked: Asked) -> &'static str {
    match asked {
        Asked::Other => "other",
        Asked::Mail => "mail",
        Asked::Rcpt => "rcpt",
        Asked::Reset => "reset",
        Asked::Data => "data",
        Asked::Dot => "dot",
    }
}
