//! Reading capture files, as Python sees it. The threads that do it are in `reading.rs`.
//!
//! Flows go on from one file into the next of the same directory if its packet time follows on (rotated captures); else they
//! are closed between the files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::convert::Batch;
use crate::events::EventList;
use crate::interest::{limits_with, Interest};
use crate::reading::{self, lock, Account};
use crate::receive::next_events;

/// One thing that was wrong with a capture file.
#[pyclass(frozen, module = "sensor._core", get_all)]
pub struct Damage {
    path: String,
    kind: &'static str,
    detail: String,
    offset: Option<u64>,
}

/// Reads capture files: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core")]
pub struct Replay {
    paths: Vec<PathBuf>,
    account: Arc<Account>,
    events: Receiver<EventList>,
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (paths, interest, *, limits = None, batch_events = 4096))]
    fn new(
        paths: Vec<PathBuf>,
        interest: &Interest,
        limits: Option<HashMap<String, usize>>,
        batch_events: usize,
    ) -> PyResult<Self> {
        if batch_events == 0 {
            return Err(PyValueError::new_err("batch_events must be at least 1"));
        }
        let limits = limits_with(limits)?;
        let account = Arc::new(Account::default());
        let total = paths
            .iter()
            .map(|path| path.metadata().map_or(0, |facts| facts.len()))
            .sum();
        account.octets_total.store(total, Ordering::Relaxed);
        let events = reading::start(paths.clone(), &account, &interest.inner, &limits, batch_events)?;
        Ok(Self { paths, account, events })
    }

    #[pyo3(signature = (timeout_s = None))]
    fn next_batch(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Option<Batch>> {
        match next_events(py, &self.events, timeout_s)? {
            Some(events) => Ok(Some(Batch::of(events))),
            None if self.account.finished.load(Ordering::Acquire) => Ok(None),
            None => Err(PyRuntimeError::new_err(
                "the core stopped before the end of the capture; this is a defect of the sensor, please report it",
            )),
        }
    }

    fn stop(&self) {
        self.account.stop.store(true, Ordering::Release);
    }

    fn progress(&self) -> (u64, u64, String) {
        let current = self.account.current.load(Ordering::Relaxed);
        let path = self
            .paths
            .get(current)
            .map_or_else(String::new, |path| path.display().to_string());
        (
            self.account.octets_read.load(Ordering::Relaxed),
            self.account.octets_total.load(Ordering::Relaxed),
            path,
        )
    }

    fn counters(&self) -> HashMap<&'static str, u64> {
        let (counters, _) = self.account.counts();
        counters
            .list()
            .into_iter()
            .map(|(name, _, count)| (name, count))
            .collect()
    }

    fn anomalies(&self) -> HashMap<&'static str, u64> {
        let (_, anomalies) = self.account.counts();
        anomalies
            .list()
            .into_iter()
            .map(|(slug, _, count)| (slug, count))
            .collect()
    }

    fn damage(&self) -> Vec<Damage> {
        let describe = |(file, damage): &(usize, capture::Damage)| Damage {
            path: self
                .paths
                .get(*file)
                .map_or_else(String::new, |path| path.display().to_string()),
            kind: damage.kind.slug(),
            detail: damage.detail.clone(),
            offset: Some(damage.offset),
        };
        lock(&self.account.damage).iter().map(describe).collect()
    }
}

/// True if the file at *path* starts as a capture does. Raises `CaptureError` if it can't be read.
#[pyfunction]
pub fn is_probably_capture(path: PathBuf) -> PyResult<bool> {
    capture::is_probably_capture(Path::new(&path)).map_err(|damage| crate::error::CaptureError::new_err(damage.detail))
}
