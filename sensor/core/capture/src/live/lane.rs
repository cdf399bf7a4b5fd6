//! One interface over time: captured while it is there, waited for while it is not.
//!
//! ```text
//! up --(network down)--> down --(up again: the kernel goes on by itself)--> up
//! up, down --(removed)--> gone --(one of that name can be opened, tried ever more rarely)--> up
//! ```

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wire::frame::Frame;

use super::error::LiveError;
use super::ring::{Fanout, Options, Ring};
use super::sys;

/// First and longest pause between two tries to open an interface that is gone.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// How often a lane is looked at, and how often the kernel is asked for its counts.
const LOOK: Duration = Duration::from_millis(250);

/// How an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Captured.
    Up = 0,
    /// There, but down: frames come again by themselves.
    Down = 1,
    /// Not there, or not to be opened: waited for.
    Gone = 2,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Gone => "gone",
        }
    }
}

/// What is known of a lane, for others to read while it runs. Counts only grow.
#[derive(Debug, Default)]
pub struct Account {
    state: AtomicU8,
    /// Frames read.
    pub frames: AtomicU64,
    /// Octets captured in them.
    pub octets: AtomicU64,
    /// Frames that a VLAN tag was taken off before they came.
    pub tagged: AtomicU64,
    /// Frames the kernel dropped since the ring was full.
    pub dropped: AtomicU64,
    /// Times the ring was full.
    pub freezes: AtomicU64,
    /// Times the interface went down or away.
    pub outages: AtomicU64,
    /// Why it can't be opened.
    problem: Mutex<Option<String>>,
}

impl Account {
    /// How the interface is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Up,
            1 => State::Down,
            _ => State::Gone,
        }
    }

    /// Why it can't be opened, if it is gone.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts one frame. One thread counts and others only read, so nothing need be locked.
    #[inline]
    fn count(&self, octets: usize, was_tagged: bool) {
        let add = |count: &AtomicU64, more: u64| count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        add(&self.frames, 1);
        add(&self.octets, octets as u64);
        if was_tagged {
            add(&self.tagged, 1);
        }
    }

    fn set(&self, state: State, problem: Option<String>) {
        if state != State::Up && self.state() == State::Up {
            self.outages.fetch_add(1, Ordering::Relaxed);
        }
        self.state.store(state as u8, Ordering::Relaxed);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// One interface, whether it is there or not.
pub struct Lane {
    name: String,
    options: Arc<Options>,
    fanout: Option<Arc<Fanout>>,
    /// None while it is gone.
    ring: Option<Ring>,
    account: Arc<Account>,
    look_at: Instant,
    retry_after: Duration,
}

impl Lane {
    /// Opens the interface *name*, which may be down.
    ///
    /// # Errors
    /// As [`Ring::open`].
    pub fn open(name: &str, options: &Arc<Options>, fanout: Option<&Arc<Fanout>>) -> Result<Self, LiveError> {
        let ring = Ring::open(name, options, fanout.map(AsRef::as_ref))?;
        Ok(Self {
            name: name.to_owned(),
            options: Arc::clone(options),
            fanout: fanout.cloned(),
            ring: Some(ring),
            account: Arc::default(),
            look_at: Instant::now(),
            retry_after: RETRY_FIRST,
        })
    }

    /// What others may read of it.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The ring, while the interface is there.
    #[inline]
    pub(super) fn ring(&mut self) -> Option<&mut Ring> {
        self.ring.as_mut()
    }

    /// Notes which blocks of the ring are ready by now.
    pub(super) fn look_ahead(&mut self, now: Instant) {
        if let Some(ring) = &mut self.ring {
            ring.look_ahead(now);
        }
    }

    /// Hands the next frame to *take*, and counts it.
    #[inline]
    pub(super) fn take(&mut self, take: impl FnOnce(&Frame<'_>)) {
        let (Some(ring), account) = (&mut self.ring, &self.account) else {
            return;
        };
        ring.take(|frame, was_tagged| {
            account.count(frame.bytes.len(), was_tagged);
            take(frame);
        });
    }

    /// The socket told of an error: nearly always that the interface went down.
    pub(super) fn trouble(&mut self) {
        // Asking takes the error off the socket. The interface may be up again by now: it was down all the same.
        let told = self.ring.as_ref().map(|ring| sys::take_error(ring.socket()));
        if matches!(&told, Some(Ok(Some(error))) if error.kind() == ErrorKind::NetworkDown) {
            self.account.set(State::Down, None);
        }
        self.look();
    }

    /// Every now and then: takes the kernel's counts, looks whether the interface went or is back.
    pub(super) fn tend(&mut self, now: Instant) {
        if now >= self.look_at {
            self.look_at = now + LOOK;
            self.read_statistics();
            match self.account.state() {
                // The socket would tell, but while other interfaces have frames nobody waits for it.
                State::Up => self.trouble(),
                State::Down | State::Gone => {
                    self.let_go();
                    self.look();
                }
            }
        }
    }

    /// Lets nothing more in.
    pub(super) fn close_door(&mut self) {
        let failed = self.ring.as_ref().is_some_and(|ring| ring.close_door().is_err());
        if failed {
            // Closed altogether: what is in the ring is lost, but the end comes.
            self.ring = None;
        }
    }

    /// Takes over what the kernel counted.
    pub(super) fn read_statistics(&mut self) {
        if let Some(Ok(told)) = self.ring.as_ref().map(Ring::statistics) {
            let account = &self.account;
            account.dropped.fetch_add(u64::from(told.dropped), Ordering::Relaxed);
            account.freezes.fetch_add(u64::from(told.freezes), Ordering::Relaxed);
        }
    }

    /// Finds out how the interface is. One of the same name but another number is another interface.
    fn look(&mut self) {
        let Some(ring) = &self.ring else {
            return self.reopen();
        };
        let there = sys::interface_index(&self.name) == Some(ring.index());
        match (there, sys::is_up(ring.socket(), &self.name)) {
            (true, Ok(true)) => self.account.set(State::Up, None),
            (true, _) => self.account.set(State::Down, None),
            (false, _) => {
                self.account.set(State::Gone, None);
                self.look_at = Instant::now() + self.options.hold();
            }
        }
    }

    fn reopen(&mut self) {
        match Ring::open(&self.name, &self.options, self.fanout.as_deref()) {
            Ok(ring) => {
                self.ring = Some(ring);
                self.retry_after = RETRY_FIRST;
                self.look();
            }
            Err(error) => {
                self.account.set(State::Gone, Some(error.to_string()));
                self.look_at = Instant::now() + self.retry_after;
                self.retry_after = (self.retry_after * 2).min(RETRY_MOST);
            }
        }
    }

    /// Closes the ring of an interface that is gone, once all that it held was shown and read.
    fn let_go(&mut self) {
        let empty = self.ring.as_mut().is_some_and(|ring| ring.head().is_none());
        if empty && self.account.state() == State::Gone {
            self.ring = None;
        }
    }
}
