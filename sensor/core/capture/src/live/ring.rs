//! One packet socket with its ring: opened, read frame by frame, asked for its losses.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wire::frame::{Frame, LinkType, Timestamp};

use super::block::{Cursor, Place};
use super::error::LiveError;
use super::filter::{self, Pass};
use super::interface::{self, Interface};
use super::mapping::Mapping;
use super::sharing;
use super::sys::{self, Statistics};

/// The least memory of a ring: two blocks that hold a frame of 64 KiB, as segmentation offload makes them.
pub const RING_OCTETS_MIN: usize = 256 << 10;
/// The most: what the kernel's own arithmetic on ring sizes takes.
pub const RING_OCTETS_MAX: usize = 2 << 30;
/// Blocks this large hold any frame there is (IPv6 jumbograms are not made larger than 512 KiB by Linux); smaller rings
/// have smaller blocks, so that one can be read while others fill.
const BLOCK_OCTETS_MAX: usize = 1 << 20;
const BLOCK_OCTETS_MIN: usize = 128 << 10;
const BLOCKS_WANTED: usize = 8;

/// What a block timer of the kernel, and a thread that was not let run, may be late.
const LATE: Duration = Duration::from_millis(20);

/// How interfaces are captured.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the kernel is to let through.
    pub pass: Pass,
    /// Octets of a ring, from [`RING_OCTETS_MIN`] to [`RING_OCTETS_MAX`]; rounded down to whole blocks.
    pub ring_octets: usize,
    /// Octets kept of a frame.
    pub snap_octets: u32,
    /// Whether frames to others are asked for.
    pub promiscuous: bool,
    /// After this time a block that is not full is shown: the latency, and ten times its inverse the wake-ups.
    pub block_timeout: Duration,
}

impl Options {
    /// The longest that a frame may lie in a block that is not shown yet.
    pub(super) fn hold(&self) -> Duration {
        // A block that was begun right behind one run of the kernel's timer is closed at the next but one.
        self.block_timeout * 2 + LATE
    }
}

/// The group of sockets that share an interface's frames by flow.
#[derive(Debug, Default)]
pub struct Fanout {
    /// The interface's number, and the group's. A removed interface that is made again needs a group of its own.
    group: Mutex<Option<(i32, u16)>>,
}

impl Fanout {
    fn join(&self, socket: &OwnedFd, index: i32, link_type: LinkType) -> io::Result<()> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let known = group.filter(|(of, _)| *of == index).map(|(_, number)| number);
        let number = sys::join_fanout(socket, known, &sharing::program(link_type))?;
        *group = Some((index, number));
        Ok(())
    }
}

/// One socket and its ring.
pub struct Ring {
    // Declared before the socket, and so unmapped before that is closed.
    mapping: Mapping,
    socket: OwnedFd,
    index: i32,
    link_type: LinkType,
    /// The block that is read, or will be next.
    block: usize,
    reading: Option<Reading>,
    /// When each block from the one at hand on was found to be ours, as far as anybody looked: [`Ring::look_ahead`].
    found: VecDeque<Instant>,
}

/// The block at hand.
struct Reading {
    cursor: Cursor,
    head: Place,
    /// When it was found to be ours.
    since: Instant,
}

impl Ring {
    /// Opens the interface *name*: from here on its frames fill the ring.
    ///
    /// # Errors
    /// As [`Interface::find`]; also if the kernel refuses the ring.
    pub fn open(name: &str, options: &Options, fanout: Option<&Fanout>) -> Result<Self, LiveError> {
        if !sys::AVAILABLE {
            let interface = name.to_owned();
            return Err(LiveError::NotLinux { interface });
        }
        let failed = |step| move |error| LiveError::of(name, step, error);
        let Interface {
            index,
            is_loopback,
            link: (link_type, view),
        } = Interface::find(name)?;
        let socket = interface::socket(name, view)?;
        let (block_octets, blocks) = blocks_of(options.ring_octets);
        let no_memory = |error: io::Error| match error.kind() {
            io::ErrorKind::OutOfMemory => LiveError::NoMemory {
                interface: name.to_owned(),
                octets: options.ring_octets,
            },
            _ => LiveError::of(name, "making a ring", error),
        };
        sys::make_ring(&socket, block_octets as u32, blocks as u32, options.block_timeout).map_err(no_memory)?;
        let mapping = Mapping::new(&socket, block_octets, blocks).map_err(no_memory)?;
        // Before it is bound, so that nothing unwanted ever comes in.
        let program = filter::program(&options.pass, link_type, options.snap_octets, is_loopback);
        sys::attach(&socket, &program).map_err(failed("setting the filter"))?;
        sys::bind(&socket, index).map_err(failed("binding to it"))?;
        if options.promiscuous && !is_loopback {
            sys::be_promiscuous(&socket, index).map_err(failed("asking for frames to others"))?;
        }
        if let Some(fanout) = fanout {
            fanout
                .join(&socket, index, link_type)
                .map_err(failed("sharing its frames out"))?;
        }
        Ok(Self {
            mapping,
            socket,
            index,
            link_type,
            block: 0,
            reading: None,
            found: VecDeque::new(),
        })
    }

    /// The interface's number when it was opened.
    pub fn index(&self) -> i32 {
        self.index
    }

    /// For waiting.
    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// For asking about interfaces.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Notes which blocks are ready by now. Where frames wait for those of other rings, the blocks behind the one at hand wait all
    /// the while, too: one that began to wait only at its turn would have a ring of blocks last that many waits.
    pub fn look_ahead(&mut self, now: Instant) {
        let blocks = self.mapping.blocks();
        while self.found.len() < blocks && self.mapping.block((self.block + self.found.len()) % blocks).is_some() {
            self.found.push_back(now);
        }
    }

    /// Packet time of the next frame, and when its block was found; none if no block is ready.
    #[inline]
    pub fn head(&mut self) -> Option<(Timestamp, Instant)> {
        while self.reading.is_none() {
            let block = self.mapping.block(self.block)?;
            let cursor = Cursor::new(block);
            match cursor.frame(block) {
                Some(head) => {
                    let since = self.found.front().copied().unwrap_or_else(Instant::now);
                    self.reading = Some(Reading { cursor, head, since });
                }
                None => self.next_block(),
            }
        }
        let reading = self.reading.as_ref()?;
        Some((reading.head.seen_at, reading.since))
    }

    /// Hands the next frame to *take*, with true if a VLAN tag was taken off it. Nothing if no block is ready.
    #[inline]
    pub fn take(&mut self, take: impl FnOnce(&Frame<'_>, bool)) {
        if self.head().is_none() {
            return;
        }
        let (Some(reading), Some(block)) = (&mut self.reading, self.mapping.block(self.block)) else {
            return;
        };
        let place = reading.head;
        let frame = Frame {
            at: place.seen_at,
            link_type: self.link_type,
            bytes: place.bytes(block),
            original_octets: place.original,
        };
        take(&frame, place.was_tagged);
        reading.cursor.step(&place);
        match reading.cursor.frame(block) {
            Some(head) => reading.head = head,
            None => self.next_block(),
        }
    }

    /// Gives the block at hand back.
    fn next_block(&mut self) {
        self.reading = None;
        self.found.pop_front();
        self.mapping.give_back(self.block);
        self.block = (self.block + 1) % self.mapping.blocks().max(1);
    }

    /// What the kernel took in and dropped since the last call.
    pub fn statistics(&self) -> io::Result<Statistics> {
        sys::statistics(&self.socket)
    }

    /// Lets nothing more in; what is in the ring can still be read.
    pub fn close_door(&self) -> io::Result<()> {
        let nothing = filter::program(&Pass::Everything, self.link_type, 0, false);
        sys::attach(&self.socket, &nothing)
    }
}

/// Octets of a block, a power of two, and how many blocks, for a ring of *ring_octets*.
fn blocks_of(ring_octets: usize) -> (usize, usize) {
    let ring_octets = ring_octets.clamp(RING_OCTETS_MIN, RING_OCTETS_MAX);
    let wanted = (ring_octets / BLOCKS_WANTED).clamp(BLOCK_OCTETS_MIN, BLOCK_OCTETS_MAX);
    let block_octets = 1 << wanted.ilog2();
    (block_octets, ring_octets / block_octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_made_of_several_blocks_that_hold_any_frame() {
        for (ring, expected) in [
            (0, (128 << 10, 2)),
            (256 << 10, (128 << 10, 2)),
            (1 << 20, (128 << 10, 8)),
            (5 << 20, (512 << 10, 10)),
            (64 << 20, (1 << 20, 64)),
            (usize::MAX, (1 << 20, 2048)),
        ] {
            assert_eq!(blocks_of(ring), expected, "{ring}");
        }
    }
}
