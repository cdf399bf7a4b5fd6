//! The threads that read capture files and run the core.
//!
//! ```text
//!                           ┌─ engine: half of the flows ─┐
//! reader: files -> frames ──┤                             ├── merger: events in order -> Python
//!                           └─ engine: the other half ────┘
//! ```
//!
//! Every engine sees every frame and reads its share of the flows ([`wire::share`]). After each batch of frames it tells what
//! became known, each event with the number of the frame or closing that brought it, so that the merger can put the events of all engines
//! into one order: that of the frames. How many engines there are does not depend on the machine, so every machine gives the
//! same. All queues are short and bounded, so memory does not grow with the capture, and frame buffers go back to the reader.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use capture::{CaptureReader, FrameBatch};
use crossbeam_channel::{bounded, Receiver, RecvTimeoutError, Sender};
use wire::anomaly::AnomalyCounts;
use wire::counters::Counters;
use wire::engine::Engine;
use wire::frame::Timestamp;
use wire::interest::Interest;
use wire::limits::Limits;
use wire::record::event::Event;
use wire::share::Share;
use wire::tcp::segment::Endpoint;

use crate::events::EventList;

/// Engines that share the flows: with the reader and Python they keep two cores busy.
const ENGINES: u32 = 2;
/// Frame batches between reader and engines: enough to keep all busy, few enough to stay in the cache.
const FRAME_BATCHES: usize = 4;
/// Batches told by an engine and not merged yet, and event batches between merger and Python.
const EVENT_BATCHES: usize = 4;
/// How often a silent reader makes an engine look whether it was told to stop: at once to a person, rare to a processor.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// Rotated captures follow each other within this time, ns; unrelated ones rarely do.
const ROTATION_GAP_NS: i64 = 60_000_000_000;
/// Packet time may step back this far at a file's start, ns: capture threads write in nearly the right order.
const ROTATION_OVERLAP_NS: i64 = 10_000_000;

/// What the threads and Python share.
#[derive(Default)]
pub struct Account {
    pub stop: AtomicBool,
    pub finished: AtomicBool,
    pub octets_read: AtomicU64,
    pub octets_total: AtomicU64,
    pub current: AtomicUsize,
    pub damage: Mutex<Vec<(usize, capture::Damage)>>,
    /// By engine.
    counts: Mutex<[(Counters, AnomalyCounts); ENGINES as usize]>,
}

impl Account {
    /// All counts so far.
    pub fn counts(&self) -> (Counters, AnomalyCounts) {
        let mut all = (Counters::default(), AnomalyCounts::default());
        for (counters, anomalies) in lock(&self.counts).iter() {
            all.0.add(counters);
            all.1.add(anomalies);
        }
        all
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that failed while holding it left counts, which are still true.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts all threads on *paths*; events come out in batches of up to *batch_events*.
///
/// # Errors
/// No thread can be started.
pub fn start(
    paths: Vec<PathBuf>,
    account: &Arc<Account>,
    interest: &Arc<Interest>,
    limits: &Limits,
    batch_events: usize,
) -> std::io::Result<Receiver<EventList>> {
    let (to_reader, empty) = bounded(FRAME_BATCHES + 2 + ENGINES as usize);
    let (mut to_engines, mut told) = (Vec::new(), Vec::new());
    for number in 0..ENGINES {
        let (to_engine, frames) = bounded(FRAME_BATCHES);
        let (to_merger, from_engine) = bounded(EVENT_BATCHES);
        to_engines.push(to_engine);
        told.push(from_engine);
        let worker = Worker {
            number: number as usize,
            engine: Engine::sharing(Share::new(number, ENGINES), Arc::clone(interest), limits),
            account: Arc::clone(account),
            frames,
            empty: to_reader.clone(),
            out: to_merger,
            steps: 0,
            told: Vec::new(),
            last_at: None,
        };
        spawn("mailsensor-core", move || worker.run())?;
    }
    let reader = Reader {
        paths,
        account: Arc::clone(account),
        out: to_engines,
        empty,
    };
    spawn("mailsensor-read", move || reader.run())?;
    let (to_python, events) = bounded(EVENT_BATCHES);
    let merger = Merger {
        account: Arc::clone(account),
        told,
        out: to_python,
        batch_events,
        merged: Vec::new(),
    };
    spawn("mailsensor-merge", move || merger.run())?;
    Ok(events)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(())
}

#[derive(Clone)]
enum Read {
    FileStarts { same_directory: bool },
    Frames(Arc<FrameBatch>),
}

/// What an engine tells after each batch of frames, and once more, last, at the end.
struct Told {
    events: Vec<Numbered>,
    last: bool,
}

/// An event with the number of the step that brought it: a frame, or the closing of what was open.
struct Numbered {
    step: u64,
    event: Event,
}

impl Numbered {
    /// Its place among the events of all engines. What one step brings to several (flows that end with the capture, flows
    /// that time out) goes by their starts and then by their ends, as one engine alone closes flows.
    fn place(&self) -> (u64, Timestamp, Endpoint, Endpoint) {
        let flow = self.event.flow();
        let (low, high) = (flow.client.min(flow.server), flow.client.max(flow.server));
        (self.step, flow.started_at, low, high)
    }
}

/// Reads the files, one after the other, into frame batches.
struct Reader {
    paths: Vec<PathBuf>,
    account: Arc<Account>,
    out: Vec<Sender<Read>>,
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
        self.send(&Read::FileStarts { same_directory })?;
        while !self.account.stop.load(Ordering::Acquire) {
            let mut batch = self.empty.try_recv().unwrap_or_default();
            if !reader.fill(&mut batch) {
                break;
            }
            self.account
                .octets_read
                .store(before + reader.octets_read(), Ordering::Relaxed);
            self.send(&Read::Frames(Arc::new(batch)))?;
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

    /// Hands *read* to every engine. Fails if one is gone.
    fn send(&self, read: &Read) -> Result<(), ()> {
        let mut all = self.out.iter();
        all.try_for_each(|out| out.send(read.clone()).map_err(|_| ()))
    }
}

/// Runs frames through an engine and tells what became known.
struct Worker {
    number: usize,
    engine: Engine,
    account: Arc<Account>,
    frames: Receiver<Read>,
    empty: Sender<FrameBatch>,
    out: Sender<Told>,
    /// Frames and closings so far.
    steps: u64,
    told: Vec<Numbered>,
    last_at: Option<Timestamp>,
}

impl Worker {
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

    fn run(mut self) {
        let mut starts = None;
        while let Some(read) = self.next() {
            match read {
                Read::FileStarts { same_directory } => starts = Some(same_directory),
                Read::Frames(batch) => {
                    let starts = if batch.is_empty() { None } else { starts.take() };
                    self.frames(&batch, starts);
                    if let Some(batch) = Arc::into_inner(batch) {
                        // A full return queue only means that the reader has buffers enough.
                        let _ = self.empty.try_send(batch);
                    }
                    if self.tell(false).is_err() {
                        return;
                    }
                }
            }
        }
        self.finish();
        // Nobody listens any more: then nobody misses it.
        let _ = self.tell(true);
    }

    /// *starts*: the batch is the first of a file; true if that lies beside the one before.
    fn frames(&mut self, batch: &FrameBatch, mut starts: Option<bool>) {
        for frame in batch.frames() {
            if starts
                .take()
                .is_some_and(|same_directory| !(same_directory && self.follows_on(frame.at)))
            {
                self.finish();
            }
            self.engine.frame(&frame);
            self.steps += 1;
            self.last_at = Some(frame.at);
            self.number_events();
        }
    }

    /// Closes what is open.
    fn finish(&mut self) {
        self.engine.finish();
        self.steps += 1;
        self.number_events();
    }

    #[inline]
    fn number_events(&mut self) {
        let events = self.engine.events();
        if !events.is_empty() {
            let step = self.steps;
            self.told.extend(events.drain(..).map(|event| Numbered { step, event }));
        }
    }

    /// True if a file that begins at *at* goes on where the last one ended.
    fn follows_on(&self, at: Timestamp) -> bool {
        self.last_at
            .is_none_or(|last| (-ROTATION_OVERLAP_NS..=ROTATION_GAP_NS).contains(&at.since_ns(last)))
    }

    /// Fails if nobody listens any more.
    fn tell(&mut self, last: bool) -> Result<(), ()> {
        lock(&self.account.counts)[self.number] = (self.engine.counters(), self.engine.anomalies());
        let events = std::mem::take(&mut self.told);
        self.out.send(Told { events, last }).map_err(|_| ())
    }
}

/// Puts what the engines tell into one order, draws what Python will ask of it, and hands it on in batches.
struct Merger {
    account: Arc<Account>,
    told: Vec<Receiver<Told>>,
    out: Sender<EventList>,
    batch_events: usize,
    merged: Vec<Event>,
}

impl Merger {
    /// Round by round: all engines see the same batches of frames, so each tells of each.
    fn run(mut self) {
        loop {
            let round: Result<Vec<Told>, _> = self.told.iter().map(Receiver::recv).collect();
            // An engine that is gone without a last word has failed.
            let Ok(round) = round else { return };
            let last = round.iter().all(|told| told.last);
            self.merge(round);
            let enough = if last { 1 } else { self.batch_events };
            if self.hand_on(enough).is_err() {
                return;
            }
            if last {
                return self.account.finished.store(true, Ordering::Release);
            }
        }
    }

    fn merge(&mut self, round: Vec<Told>) {
        let mut events: Vec<Numbered> = round.into_iter().flat_map(|told| told.events).collect();
        // Stable: the events of one flow stay as their engine told them.
        events.sort_by_cached_key(Numbered::place);
        self.merged.extend(events.into_iter().map(|numbered| numbered.event));
    }

    /// Hands events on in batches, if there are at least *enough*. Fails if nobody listens any more.
    fn hand_on(&mut self, enough: usize) -> Result<(), ()> {
        if self.merged.len() < enough {
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.merged);
        while !rest.is_empty() {
            let behind = rest.split_off(rest.len().min(self.batch_events));
            self.out.send(EventList::drawn(rest)).map_err(|_| ())?;
            rest = behind;
        }
        Ok(())
    }
}
