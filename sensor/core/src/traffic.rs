//! The ledger's counting of ordinary mail, as Python sees it: see `sensor/_core.pyi`. The counting is in the crate `ledger`.

use ledger::log::Log;
use ledger::traffic::{self, Account, Bounds};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

type Words<'py> = Option<Bound<'py, PyBytes>>;

/// Accounts of mail sent and received: see `sensor/_core.pyi`.
#[pyclass(module = "sensor._core")]
pub struct Traffic {
    inner: traffic::Traffic,
}

#[pymethods]
impl Traffic {
    #[new]
    #[pyo3(signature = (*, mailboxes, recent_mails, address_characters, changed))]
    fn new(mailboxes: usize, recent_mails: usize, address_characters: usize, changed: usize) -> Self {
        let bounds = Bounds {
            mailboxes,
            recent_mails,
            address_characters,
            changed,
        };
        Self {
            inner: traffic::Traffic::new(bounds),
        }
    }

    #[getter]
    fn evicted(&self) -> u64 {
        self.inner.evicted
    }
    #[getter]
    fn addresses_too_long(&self) -> u64 {
        self.inner.addresses_too_long
    }

    fn count(
        &mut self,
        sender: Option<&Bound<'_, PyString>>,
        recipients: &Bound<'_, PyList>,
        at_ms: i64,
        octets: i64,
        message: u64,
    ) -> PyResult<()> {
        if let Some(sender) = sender {
            self.inner.send(&sender.to_string_lossy(), at_ms, octets, message);
        }
        for recipient in recipients.iter() {
            let recipient = recipient.cast::<PyString>()?;
            self.inner.receive(&recipient.to_string_lossy(), at_ms, octets, message);
        }
        Ok(())
    }

    fn open(&mut self, mailbox: &str, at_ms: i64) -> bool {
        self.inner.open(mailbox, at_ms)
    }

    fn account<'py>(&self, py: Python<'py>, mailbox: &str) -> Option<(i64, Words<'py>, Words<'py>)> {
        let account = self.inner.account(mailbox)?;
        let words = |log: &Option<Box<Log>>| log.as_ref().map(|log| octets_of(py, log));
        Some((account.since_ms, words(&account.received), words(&account.sent)))
    }

    fn put(&mut self, mailbox: &str, since_ms: i64, received: Option<&[u8]>, sent: Option<&[u8]>) -> PyResult<()> {
        let log = |octets: Option<&[u8]>| octets.map(log_of).transpose();
        let account = Account {
            since_ms,
            received: log(received)?,
            sent: log(sent)?,
        };
        self.inner.put(mailbox, account);
        Ok(())
    }

    fn hold(&mut self, mailbox: &str) {
        self.inner.hold(mailbox);
    }

    fn let_go(&mut self, mailbox: &str) {
        self.inner.let_go(mailbox);
    }

    fn forget(&mut self, mailbox: &str) {
        self.inner.forget(mailbox);
    }

    fn active(&self, at_ms: i64) -> i64 {
        self.inner.active(at_ms)
    }

    fn names(&self) -> Vec<&str> {
        self.inner.names().collect()
    }

    fn note(&mut self, mailbox: &str) {
        self.inner.note(mailbox);
    }

    fn take_changed(&mut self) -> Option<Vec<String>> {
        Some(self.inner.take_changed()?.into_iter().map(Into::into).collect())
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }
}

/// The words of a log, as this machine has them.
fn octets_of<'py>(py: Python<'py>, log: &Log) -> Bound<'py, PyBytes> {
    let octets: Vec<u8> = log.words().into_iter().flat_map(i64::to_ne_bytes).collect();
    PyBytes::new(py, &octets)
}

fn log_of(octets: &[u8]) -> PyResult<Box<Log>> {
    let word = |word: &[u8]| word.try_into().map(i64::from_ne_bytes).ok();
    let words: Vec<i64> = octets.chunks_exact(8).filter_map(word).collect();
    let log = Log::from_words(&words).ok_or_else(|| PyValueError::new_err("not the words of a log"))?;
    Ok(Box::new(log))
}
