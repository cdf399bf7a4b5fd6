//! Capturing live interfaces, as Python sees it, and the threads that do it.
//!
//! ```text
//! worker: rings (one of each interface) -> frames in order -> engine ──┐
//! worker: the rings' fellows -> ... -> engine of its own ──────────────┴── events -> Python
//! ```
//!
//! The kernel shares flows out among workers, so each engine reads whole flows and none sees another's. Nothing is kept without bound:
//! if Python does not take events, a worker waits, its rings fill, and the kernel counts what it drops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use capture::live::{self, Fanout, Lane, Lanes, Options, Pass, RING_OCTETS_MAX, RING_OCTETS_MIN};
use crossbeam_channel::{bounded, Receiver, Sender};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use wire::anomaly::AnomalyCounts;
use wire::counters::Counters;
use wire::engine::Engine;
use wire::frame::Timestamp;
use wire::record::event::Event;
use wire::share::Share;

use crate::convert::Batch;
use crate::error::CaptureError;
use crate::interest::{limits_with, Interest};
use crate::reading::lock;
use crate::receive::next_events;

/// Events that wait for Python before the workers wait too: some kilobytes each. A mail takes less room as an event than as frames
/// in a ring, so this is where a slow moment of Python is best waited out.
const EVENTS_WAITING: usize = 16_384;
/// Batches that wait; most hold many events, so the bound above is the one that is reached.
const EVENT_BATCHES: usize = 1_024;
/// How often a worker that waits for Python looks again.
const WAITING_LOOK: Duration = Duration::from_millis(2);
/// More workers than this only wait for each other on any machine that watches mail.
const WORKERS_MAX: usize = 64;
/// Ports by which the kernel filters: four instructions each, of the 4,096 that a program may have.
const PORTS_MAX: u64 = 256;
const BLOCK_TIMEOUT_MS_MAX: u64 = 1_000;
/// Octets of the largest frame that is captured (libpcap's MAXIMUM_SNAPLEN).
const SNAP_OCTETS_MAX: u32 = 262_144;

/// What is known of one interface: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core", get_all)]
pub struct InterfaceStatus {
    name: String,
    state: &'static str,
    problem: Option<String>,
    frames: u64,
    octets: u64,
    tagged: u64,
    dropped: u64,
    freezes: u64,
    outages: u64,
}

/// What the workers and Python share.
struct Shared {
    stop: AtomicBool,
    /// Nobody will take events any more.
    abandoned: AtomicBool,
    /// A worker failed, and nobody reads its rings.
    failed: AtomicBool,
    /// Events told and not taken yet.
    waiting: AtomicUsize,
    /// Workers that came to their end.
    finished: AtomicUsize,
    /// By worker.
    counts: Vec<Mutex<(Counters, AnomalyCounts)>>,
    /// By interface: its name, and the account of each worker.
    accounts: Vec<(String, Vec<Arc<live::Account>>)>,
}

/// Captures live interfaces: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core")]
pub struct Live {
    shared: Arc<Shared>,
    events: Receiver<Vec<Event>>,
}

#[pymethods]
impl Live {
    #[new]
    #[allow(clippy::too_many_arguments)] // each is a keyword of its own in Python
    #[pyo3(signature = (interfaces, interest, *, limits = None, ports = None, ring_octets = 64 << 20, snap_octets = 262_144,
        promiscuous = true, workers = 1, block_timeout_ms = 50, batch_events = 4096, reopens = true),
        text_signature = "(interfaces, interest, *, limits=None, ports=None, ring_octets=67108864, snap_octets=262144, promiscuous=True, workers=1, block_timeout_ms=50, batch_events=4096, reopens=True)")]
    fn new(
        interfaces: Vec<String>,
        interest: &Interest,
        limits: Option<HashMap<String, usize>>,
        ports: Option<Vec<u16>>,
        ring_octets: usize,
        snap_octets: u32,
        promiscuous: bool,
        workers: usize,
        block_timeout_ms: u64,
        batch_events: usize,
        reopens: bool,
    ) -> PyResult<Self> {
        let within = |name: &str, value: u64, least: u64, most: u64| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(PyValueError::new_err(format!("{name} must be from {least} to {most}"))),
        };
        within("the number of interfaces", interfaces.len() as u64, 1, 64)?;
        within(
            "the number of ports",
            ports.as_ref().map_or(0, Vec::len) as u64,
            0,
            PORTS_MAX,
        )?;
        within("workers", workers as u64, 1, WORKERS_MAX as u64)?;
        within(
            "ring_octets",
            ring_octets as u64,
            RING_OCTETS_MIN as u64,
            RING_OCTETS_MAX as u64,
        )?;
        within("snap_octets", u64::from(snap_octets), 64, u64::from(SNAP_OCTETS_MAX))?;
        within("block_timeout_ms", block_timeout_ms, 1, BLOCK_TIMEOUT_MS_MAX)?;
        within("batch_events", batch_events as u64, 1, u64::MAX)?;
        let limits = limits_with(limits)?;
        let options = Arc::new(Options {
            pass: match ports {
                None => Pass::Ports(live::MAIL_PORTS.to_vec()),
                Some(ports) if ports.is_empty() => Pass::Everything,
                Some(ports) => Pass::Ports(ports),
            },
            ring_octets,
            snap_octets,
            promiscuous,
            block_timeout: Duration::from_millis(block_timeout_ms),
        });
        let opened = open(&interfaces, &options, workers).map_err(|error| CaptureError::new_err(error.to_string()))?;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            counts: (0..workers).map(|_| Mutex::default()).collect(),
            accounts: accounts_of(interfaces, &opened),
        });
        // Of the bounds on all flows together each worker has its part; all of its flows are its own.
        let part = Share::new(0, workers as u32).of_limits(&limits);
        let (out, events) = bounded(EVENT_BATCHES);
        // Made first: if a thread can't be started, its end stops those that were.
        let live = Self {
            shared: Arc::clone(&shared),
            events,
        };
        let (confined, at_work) = bounded(workers);
        for (number, lanes) in opened.into_iter().enumerate() {
            let worker = Worker {
                number,
                lanes: Lanes::new(lanes, &options),
                engine: Engine::new(Arc::clone(&interest.inner), part.clone()),
                shared: Arc::clone(&shared),
                out: out.clone(),
                batch_events,
                reopens,
            };
            let confined = confined.clone();
            thread::Builder::new()
                .name("mailsensor-ring".to_owned())
                .spawn(move || worker.run(&confined))?;
        }
        // Whoever looks at the rights of all threads behind this finds none that has not come to give its own up.
        match (0..workers).all(|_| at_work.recv() == Ok(true)) {
            true => Ok(live),
            false => Err(failed()),
        }
    }

    #[pyo3(signature = (timeout_s = None))]
    fn next_batch(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Option<Batch>> {
        let Some(events) = next_events(py, &self.events, timeout_s)? else {
            return self.at_end();
        };
        if events.is_empty() && self.shared.failed.load(Ordering::Acquire) {
            return Err(failed());
        }
        self.shared.waiting.fetch_sub(events.len(), Ordering::AcqRel);
        Ok(Some(Batch::of(events)))
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
    }

    fn counters(&self) -> HashMap<&'static str, u64> {
        let mut all = Counters::default();
        self.shared.counts.iter().for_each(|counts| all.add(&lock(counts).0));
        all.list().into_iter().map(|(name, _, count)| (name, count)).collect()
    }

    fn anomalies(&self) -> HashMap<&'static str, u64> {
        let mut all = AnomalyCounts::default();
        self.shared.counts.iter().for_each(|counts| all.add(&lock(counts).1));
        all.list().into_iter().map(|(slug, _, count)| (slug, count)).collect()
    }

    fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.shared
            .accounts
            .iter()
            .map(|(name, accounts)| status(name, accounts))
            .collect()
    }
}

impl Live {
    /// None if every worker came to its end; one that did not has failed.
    fn at_end(&self) -> PyResult<Option<Batch>> {
        if self.shared.finished.load(Ordering::Acquire) == self.shared.counts.len() {
            return Ok(None);
        }
        Err(failed())
    }
}

fn failed() -> PyErr {
    PyRuntimeError::new_err("a capture thread stopped unasked; this is a defect of the sensor, please report it")
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.shared.stop.store(true, Ordering::Release);
    }
}

/// The ports that mail goes by, which a filter in the kernel lets through if no others are named.
#[pyfunction]
pub fn mail_ports() -> Vec<u16> {
    live::MAIL_PORTS.to_vec()
}

/// Opens every interface once for each worker; by worker, then interface. Each interface's sockets join its group in the same order, so
/// that a flow seen on two interfaces comes to one worker.
fn open(interfaces: &[String], options: &Arc<Options>, workers: usize) -> Result<Vec<Vec<Lane>>, live::LiveError> {
    let groups: Vec<Option<Arc<Fanout>>> = interfaces.iter().map(|_| (workers > 1).then(Arc::default)).collect();
    (0..workers)
        .map(|_| {
            let each = interfaces.iter().zip(&groups);
            each.map(|(name, group)| Lane::open(name, options, group.as_ref()))
                .collect()
        })
        .collect()
}

fn accounts_of(interfaces: Vec<String>, opened: &[Vec<Lane>]) -> Vec<(String, Vec<Arc<live::Account>>)> {
    let accounts = |place: usize| {
        let lanes = opened.iter().filter_map(|lanes| lanes.get(place));
        lanes.map(|lane| Arc::clone(lane.account())).collect()
    };
    let named = interfaces.into_iter().enumerate();
    named.map(|(place, name)| (name, accounts(place))).collect()
}

fn status(name: &str, accounts: &[Arc<live::Account>]) -> InterfaceStatus {
    let sum = |count: fn(&live::Account) -> &std::sync::atomic::AtomicU64| {
        accounts
            .iter()
            .map(|account| count(account).load(Ordering::Relaxed))
            .sum()
    };
    // The worst of what the workers see: they see it one after the other.
    let worst = accounts.iter().max_by_key(|account| account.state() as u8);
    InterfaceStatus {
        name: name.to_owned(),
        state: worst.map_or("gone", |account| account.state().name()),
        problem: worst.and_then(|account| account.problem()),
        frames: sum(|account| &account.frames),
        octets: sum(|account| &account.octets),
        tagged: sum(|account| &account.tagged),
        dropped: sum(|account| &account.dropped),
        freezes: sum(|account| &account.freezes),
        outages: accounts
            .iter()
            .map(|account| account.outages.load(Ordering::Relaxed))
            .max()
            .unwrap_or(0),
    }
}

/// Reads its rings and runs its engine.
struct Worker {
    number: usize,
    lanes: Lanes,
    engine: Engine,
    shared: Arc<Shared>,
    out: Sender<Vec<Event>>,
    batch_events: usize,
    /// Whether the thread keeps the right to open interfaces anew.
    reopens: bool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.failed.store(true, Ordering::Release);
        }
    }
}

impl Worker {
    /// First tells *confined* whether the thread could give its rights up; without that, it ends.
    fn run(mut self, confined: &Sender<bool>) {
        // Rights are each thread's own: those that the caller gives up later, this one would keep.
        let is_confined = live::give_up_rights(self.reopens).is_ok();
        // Nobody listens any more where another thread could not: then this one is soon told to stop.
        let _ = confined.send(is_confined);
        if !is_confined {
            self.shared.failed.store(true, Ordering::Release);
            return;
        }
        if self.capture().is_err() {
            // Nobody listens any more.
            return;
        }
        self.lanes.read_statistics();
        self.engine.finish();
        if self.tell().is_ok() {
            self.shared.finished.fetch_add(1, Ordering::Release);
        }
    }

    /// Until told to stop, and then until the rings are empty. Fails if nobody listens any more.
    fn capture(&mut self) -> Result<(), ()> {
        let mut last: Option<(Timestamp, Instant)> = None;
        loop {
            if self.shared.stop.load(Ordering::Acquire) {
                self.lanes.close_door();
            }
            let engine = &mut self.engine;
            let turn = self.lanes.turn(|frame| engine.frame(frame));
            match turn.last_at {
                Some(at) => {
                    last = Some((at, Instant::now()));
                    // Frames that hold no segment let no time pass by themselves.
                    engine.advance(at);
                }
                // Packet time passes without packets too, by a clock that never steps.
                None => {
                    if let Some((at, seen)) = last {
                        engine.advance(self.lanes.settled(at, seen.elapsed()));
                    }
                }
            }
            self.tell()?;
            if turn.over {
                return Ok(());
            }
        }
    }

    /// Hands on what became known. Fails if nobody listens any more.
    fn tell(&mut self) -> Result<(), ()> {
        *lock(&self.shared.counts[self.number]) = (self.engine.counters(), self.engine.anomalies());
        let mut events = std::mem::take(self.engine.events());
        while !events.is_empty() {
            let behind = events.split_off(events.len().min(self.batch_events));
            self.wait_for_room()?;
            self.shared.waiting.fetch_add(events.len(), Ordering::AcqRel);
            self.out.send(events).map_err(|_| ())?;
            events = behind;
        }
        Ok(())
    }

    /// Waits while too many events wait for Python; meanwhile the rings fill. Fails if nobody listens any more.
    fn wait_for_room(&self) -> Result<(), ()> {
        while self.shared.waiting.load(Ordering::Acquire) >= EVENTS_WAITING {
            if self.shared.abandoned.load(Ordering::Acquire) {
                return Err(());
            }
            thread::sleep(WAITING_LOOK);
        }
        Ok(())
    }
}
