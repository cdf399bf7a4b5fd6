//! The interfaces that one thread reads, as one row of frames in the order of packet time.
//!
//! A tap in a fibre shows each direction on an interface of its own, so a flow's frames come in several rings. Each ring hands over
//! blocks, up to a block timeout late. A frame is therefore taken when every ring shows a later one, or when its own block has
//! waited so long that the others would have shown what came before. With one interface nothing waits.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use wire::frame::{Frame, Timestamp};

use super::lane::{Lane, State};
use super::ring::Options;

/// Frames of one turn: enough to be worth it, few enough that events are soon told.
const TURN_FRAMES: usize = 4_096;
/// The pause of a thread that holds a frame until other rings show theirs: well below a block timeout.
const HOLDING: Duration = Duration::from_millis(5);

/// Interfaces read together.
pub struct Lanes {
    lanes: Vec<Lane>,
    /// The longest that a block may lie in the kernel.
    hold: Duration,
    block_timeout: Duration,
    closed_at: Option<Instant>,
}

/// What one turn came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Frames handed over.
    pub frames: usize,
    /// Packet time of the last of them.
    pub last_at: Option<Timestamp>,
    /// The door is closed, and all that was in was read.
    pub over: bool,
}

impl Lanes {
    /// All of *lanes*, which were opened with *options*.
    #[must_use]
    pub fn new(lanes: Vec<Lane>, options: &Options) -> Self {
        Self {
            lanes,
            hold: options.hold(),
            block_timeout: options.block_timeout,
            closed_at: None,
        }
    }

    /// Packet time that has passed for sure when nothing came for *quiet*: what is older was shown.
    #[must_use]
    pub fn settled(&self, last_at: Timestamp, quiet: Duration) -> Timestamp {
        let settled = quiet.saturating_sub(self.hold);
        last_at.plus_ns(i64::try_from(settled.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Hands what is there to *take*, up to some thousand frames; waits for it up to the block timeout if there is nothing.
    pub fn turn(&mut self, mut take: impl FnMut(&Frame<'_>)) -> Turn {
        let mut turn = self.read(&mut take);
        if turn.frames == 0 && !self.is_over() {
            self.wait();
            turn = self.read(&mut take);
        }
        if self.closed_at.is_none() {
            let now = Instant::now();
            self.lanes.iter_mut().for_each(|lane| lane.tend(now));
        }
        turn.over = turn.frames == 0 && self.is_over();
        turn
    }

    /// Lets nothing more in; the turns from here on read what is in the rings, and come to an end.
    pub fn close_door(&mut self) {
        if self.closed_at.is_none() {
            self.lanes.iter_mut().for_each(Lane::close_door);
            self.closed_at = Some(Instant::now());
        }
    }

    /// Takes over what the kernel counted last.
    pub fn read_statistics(&mut self) {
        self.lanes.iter_mut().for_each(Lane::read_statistics);
    }

    fn is_over(&self) -> bool {
        self.closed_at.is_some_and(|closed| closed.elapsed() > self.hold)
    }

    fn read(&mut self, take: &mut impl FnMut(&Frame<'_>)) -> Turn {
        let mut turn = Turn::default();
        if self.lanes.len() > 1 {
            let now = Instant::now();
            self.lanes.iter_mut().for_each(|lane| lane.look_ahead(now));
        }
        while turn.frames < TURN_FRAMES {
            let Some(next) = self.next() else { break };
            self.lanes[next].take(|frame| {
                turn.last_at = Some(frame.at);
                take(frame);
            });
            turn.frames += 1;
        }
        turn
    }

    /// The lane whose frame is next; none if there is none yet.
    #[inline]
    fn next(&mut self) -> Option<usize> {
        let mut first: Option<(Timestamp, Instant, usize)> = None;
        let mut all_show = true;
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let state = lane.account().state();
            match lane.ring().and_then(|ring| ring.head()) {
                Some((at, since)) if first.is_none_or(|(earliest, ..)| at < earliest) => {
                    first = Some((at, since, number));
                }
                Some(_) => {}
                None => all_show &= state != State::Up,
            }
        }
        let (_, since, number) = first?;
        (all_show || self.lanes.len() == 1 || since.elapsed() >= self.hold).then_some(number)
    }

    fn wait(&mut self) {
        let sockets: Vec<(usize, RawFd)> = self
            .lanes
            .iter_mut()
            .enumerate()
            .filter_map(|(number, lane)| Some((number, lane.ring()?.descriptor())))
            .collect();
        let descriptors: Vec<RawFd> = sockets.iter().map(|(_, descriptor)| *descriptor).collect();
        let holding = self
            .lanes
            .iter_mut()
            .any(|lane| lane.ring().is_some_and(|ring| ring.head().is_some()));
        if holding || descriptors.is_empty() {
            // A socket with a block that must wait is ready all the time.
            std::thread::sleep(self.block_timeout.min(HOLDING));
            return;
        }
        let Ok(troubled) = super::sys::wait(&descriptors, self.block_timeout) else {
            std::thread::sleep(self.block_timeout);
            return;
        };
        for ((number, _), in_trouble) in sockets.iter().zip(troubled) {
            if in_trouble {
                self.lanes[*number].trouble();
            }
        }
    }
}
