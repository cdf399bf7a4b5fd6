//! Reading capture files on threads of its own.
//!
//! ```text
//! reader thread: capture::CaptureReader -> FrameBatch -> engine thread: wire::Engine -> events -> next_batch()
//! ```
//!
//! Both queues are short and bounded, so memory does not grow with the capture, and frame buffers go back to the reader.
//! Flows go on from one file into the next of the same directory if its packet time follows on (rotated captures); else they
//! are closed between the files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use capture::{CaptureReader, FrameBatch};
use crossbeam_channel::{bounded, Receiver, RecvTimeoutError, Sender};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use wire::anomaly::AnomalyCounts;
use wire::counters::Counters;
use wire::engine::Engine;
use wire::frame::Timestamp;
use wire::record::event::Event;

use crate::convert::Batch;
use crate::interest::{limits_with, Interest};

/// Frame batches between reader and engine: enough to keep both busy, few enough to stay in the cache.
const FRAME_BATCHES: usize = 4;
/// Event batches between engine and Python.
const EVENT_BATCHES: usize = 4;
/// How often a silent reader makes the engine look whether it was told to stop: at once to a person, rare to a processor.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// Rotated captures follow each other within this time, ns; unrelated ones rarely do.
const ROTATION_GAP_NS: i64 = 60_000_000_000;
/// Packet time may step back this far at a file's start, ns: capture threads write in nearly the right order.
const ROTATION_OVERLAP_NS: i64 = 10_000_000;

/// One thing that was wrong with a capture file.
#[pyclass(frozen, module = "sensor._core", get_all)]
pub struct Damage {
    path: String,
    kind: &'static str,
    detail: String,
    offset: Option<u64>,
}

/// What the threads and Python share.
#[derive(Default)]
struct Account {
    stop: AtomicBool,
    finished: AtomicBool,
    octets_read: AtomicU64,
    octets_total: AtomicU64,
    current: AtomicUsize,
    damage: Mutex<Vec<(usize, capture::Damage)>>,
    counts: Mutex<(Counters, AnomalyCounts)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that failed while holding it left counts, which are still true.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Read {
    FileStarts { same_directory: bool },
    Frames(FrameBatch),
}

/// Reads capture files: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core")]
pub struct Replay {
    paths: Vec<PathBuf>,
    account: Arc<Account>,
    events: Receiver<Vec<Event>>,
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
        let engine = Engine::new(Arc::clone(&interest.inner), limits_with(limits)?);
        let account = Arc::new(Account::default());
        let total = paths
            .iter()
            .map(|path| path.metadata().map_or(0, |facts| facts.len()))
            .sum();
        account.octets_total.store(total, Ordering::Relaxed);
        let (to_engine, from_reader) = bounded(FRAME_BATCHES);
        let (to_reader, from_engine) = bounded(FRAME_BATCHES + 2);
        let (to_python, events) = bounded(EVENT_BATCHES);
        let reader = Reader {
            paths: paths.clone(),
            account: Arc::clone(&account),
            out: to_engine,
            empty: from_engine,
        };
        let worker = Worker {
            engine,
            account: Arc::clone(&account),
            frames: from_reader,
            empty: to_reader,
            out: to_python,
            batch_events,
            last_at: None,
        };
        spawn("mailsensor-read", move || reader.run())?;
        spawn("mailsensor-core", move || worker.run())?;
        Ok(Self { paths, account, events })
    }

    #[pyo3(signature = (timeout_s = None))]
    fn next_batch(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Option<Batch>> {
        let timeout = timeout_s
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let received = py.detach(|| match timeout {
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.events.recv_timeout(timeout),
        });
        match received {
            Ok(events) => Ok(Some(Batch {
                events: Arc::new(events),
            })),
            Err(RecvTimeoutError::Timeout) => Ok(Some(Batch {
                events: Arc::new(Vec::new()),
            })),
            Err(RecvTimeoutError::Disconnected) if self.account.finished.load(Ordering::Acquire) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(PyRuntimeError::new_err(
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
        lock(&self.account.counts)
            .0
            .list()
            .into_iter()
            .map(|(name, _, count)| (name, count))
            .collect()
    }

    fn anomalies(&self) -> HashMap<&'static str, u64> {
        lock(&self.account.counts)
            .1
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

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> PyResult<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(())
}

/// Reads the files, one after the other, into frame batches.
struct Reader {
    paths: Vec<PathBuf>,
    account: Arc<Account>,
    out: Sender<Read>,
    empty: Receiver<FrameBatch>,
}

impl Reader {
    fn run(self) {
        let mut before = 0;
        for (file, path) in self.paths.iter().enumerate() {
            if self.account.stop.load(Ordering::Acquire) {
                return;
            }
            self.account.current.store(file, Ordering::Relaxed);
            match capture::open_path(path) {
                Ok(mut reader) => {
                    if self.read(file, before, &mut reader).is_err() {
                        return;
                    }
                    before += reader.octets_read();
                }
                Err(damage) => lock(&self.account.damage).push((file, damage)),
            }
        }
    }

    /// Reads one file to its end, or until told to stop. Fails if nobody listens any more.
    fn read(&self, file: usize, before: u64, reader: &mut CaptureReader) -> Result<(), ()> {
        let parent = |file: usize| self.paths.get(file).map(|path| path.parent());
        let same_directory = file > 0 && parent(file) == parent(file - 1);
        self.out.send(Read::FileStarts { same_directory }).map_err(|_| ())?;
        while !self.account.stop.load(Ordering::Acquire) {
            let mut batch = self.empty.try_recv().unwrap_or_default();
            if !reader.fill(&mut batch) {
                break;
            }
            self.account
                .octets_read
                .store(before + reader.octets_read(), Ordering::Relaxed);
            self.out.send(Read::Frames(batch)).map_err(|_| ())?;
        }
        let mut damage = lock(&self.account.damage);
        damage.extend(reader.damage().iter().cloned().map(|damage| (file, damage)));
        if reader.damage_beyond_list() > 0 {
            let detail = format!("{} more places that could not be read", reader.damage_beyond_list());
            damage.push((
                file,
                capture::Damage {
                    kind: capture::DamageKind::Corrupt,
                    detail,
                    offset: 0,
                },
            ));
        }
        Ok(())
    }
}

/// Runs frames through the engine and hands events on.
struct Worker {
    engine: Engine,
    account: Arc<Account>,
    frames: Receiver<Read>,
    empty: Sender<FrameBatch>,
    out: Sender<Vec<Event>>,
    batch_events: usize,
    last_at: Option<Timestamp>,
}

impl Worker {
    fn run(mut self) {
        let mut starts = None;
        while let Some(read) = self.next() {
            match read {
                Read::FileStarts { same_directory } => starts = Some(same_directory),
                Read::Frames(batch) => {
                    let starts = if batch.is_empty() { None } else { starts.take() };
                    self.frames(&batch, starts);
                    // A full return queue only means that the reader has buffers enough.
                    let _ = self.empty.try_send(batch);
                    if self.hand_on(self.batch_events).is_err() {
                        return;
                    }
                }
            }
        }
        self.engine.finish();
        let told = self.hand_on(1).is_ok();
        self.account.finished.store(told, Ordering::Release);
    }

    /// What the reader has next; none at its end, or when told to stop while it waits for a pipe that stays silent.
    fn next(&self) -> Option<Read> {
        loop {
            match self.frames.recv_timeout(STOP_LOOK) {
                Ok(read) => return Some(read),
                Err(RecvTimeoutError::Timeout) if !self.account.stop.load(Ordering::Acquire) => {}
                Err(_) => return None,
            }
        }
    }

    /// *starts*: the batch is the first of a file; true if that lies beside the one before.
    fn frames(&mut self, batch: &FrameBatch, mut starts: Option<bool>) {
        for frame in batch.frames() {
            if starts
                .take()
                .is_some_and(|same_directory| !(same_directory && self.follows_on(frame.at)))
            {
                self.engine.finish();
            }
            self.engine.frame(&frame);
            self.last_at = Some(frame.at);
        }
    }

    /// True if a file that begins at *at* goes on where the last one ended.
    fn follows_on(&self, at: Timestamp) -> bool {
        self.last_at
            .is_none_or(|last| (-ROTATION_OVERLAP_NS..=ROTATION_GAP_NS).contains(&at.since_ns(last)))
    }

    /// Hands events on in batches, if there are at least *enough*. Fails if nobody listens any more.
    fn hand_on(&mut self, enough: usize) -> Result<(), ()> {
        *lock(&self.account.counts) = (self.engine.counters(), self.engine.anomalies());
        let events = self.engine.events();
        if events.len() < enough {
            return Ok(());
        }
        let mut rest = std::mem::take(events);
        while !rest.is_empty() {
            let behind = rest.split_off(rest.len().min(self.batch_events));
            self.out.send(rest).map_err(|_| ())?;
            rest = behind;
        }
        Ok(())
    }
}

/// True if the file at *path* starts as a capture does. Raises `CaptureError` if it can't be read.
#[pyfunction]
pub fn is_probably_capture(path: PathBuf) -> PyResult<bool> {
    capture::is_probably_capture(Path::new(&path)).map_err(|damage| crate::error::CaptureError::new_err(damage.detail))
}
