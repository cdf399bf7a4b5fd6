//! The block format: sections, each with its own byte order, interfaces and packets.
//!
//! Source: draft-ietf-opsawg-pcapng (section 3 for blocks, section 4 for each kind). Every block says its length at both
//! ends, which is believed only if both agree: a block is looked at whole, so a bad length never swallows good blocks.
//! Packets come in Enhanced Packet Blocks, Simple Packet Blocks (without a time: they get the last one seen) and obsolete
//! Packet Blocks. All other blocks are passed over.

mod framing;
mod interface;

use wire::frame::Timestamp;

use crate::batch::FrameMeta;
use crate::bounds;
use crate::byte_order::ByteOrder;
use crate::damage::{DamageKind, DamageLog};
use crate::resync::{Progress, Search, Why};
use crate::window::{frame, Step, Window};
use framing::{kind, Framing};
pub(crate) use framing::{section_byte_order, MAGIC_OCTETS};
use interface::Interface;

/// Where the packet of a block lies and what is said of it.
struct Packet {
    interface: usize,
    ticks: Option<u64>,
    /// Index in the window.
    start: usize,
    /// Octets between *start* and the end of the block.
    room: usize,
    captured: u32,
    original: u32,
}

impl Packet {
    /// What is wrong with a packet that makes no frame, in a section of *known* interfaces.
    fn contradiction(&self, known: usize) -> String {
        let Self {
            interface,
            captured,
            room,
            ..
        } = self;
        if *interface >= known {
            return format!("a packet names interface {interface}, and {known} were described; it was skipped");
        }
        let most = bounds::PACKET_OCTETS.min(*room);
        format!("a packet claims {captured} captured octets, and {most} is the most it can have; it was skipped")
    }
}

/// Reads a file in this format.
#[derive(Debug)]
pub(crate) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// False inside a section of a version that is not known.
    is_section_known: bool,
    last: Timestamp,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Blocks,
    /// Inside a large block that is passed over: the octets until its second length, and what that must be.
    PassingOver {
        left: usize,
        octets: u32,
    },
    Searching(Search),
    Over,
}

impl Pcapng {
    /// A reader at the start of a file whose first section has this byte *order*.
    pub fn new(order: ByteOrder) -> Self {
        Self {
            order,
            interfaces: Vec::new(),
            is_section_known: true,
            last: Timestamp(0),
            mode: Mode::Blocks,
        }
    }

    /// True when the rest of the file is not to be read.
    pub fn is_over(&self) -> bool {
        matches!(self.mode, Mode::Over)
    }

    /// Reads what *window* holds from *at* on into *frames*; returns the index from which octets are needed again.
    pub fn advance(
        &mut self,
        window: &Window<'_>,
        mut at: usize,
        frames: &mut Vec<FrameMeta>,
        damage: &mut DamageLog,
    ) -> usize {
        loop {
            let step = match self.mode {
                Mode::Blocks => self.block(window, at, frames, damage),
                Mode::PassingOver { left, octets } => self.pass_over(window, at, left, octets),
                Mode::Searching(_) => self.search(window, at, damage),
                Mode::Over => Step::Wait(window.bytes.len()),
            };
            match step {
                Step::Go(next) => at = next,
                Step::Wait(next) => return next,
            }
        }
    }

    fn block(&mut self, window: &Window<'_>, at: usize, frames: &mut Vec<FrameMeta>, damage: &mut DamageLog) -> Step {
        let Some(framing) = Framing::at(window, at, self.order) else {
            return self.unfinished(window, at);
        };
        if let Err(why) = framing.check() {
            return self.fault(window, at, Why::Corrupt(why));
        }
        if framing.octets > bounds::BLOCK_OCTETS {
            return self.large_block(window, at, framing);
        }
        match framing.closing(window, at) {
            None => self.unfinished(window, at),
            Some(closing) if closing != framing.octets => {
                let why = format!("a block of {} octets says {closing} at its end", framing.octets);
                self.fault(window, at, Why::Corrupt(why))
            }
            Some(_) => {
                self.whole_block(window, at, framing, frames, damage);
                Step::Go(at + framing.octets)
            }
        }
    }

    fn large_block(&mut self, window: &Window<'_>, at: usize, framing: Framing) -> Step {
        let Framing { kind, octets, .. } = framing;
        if !framing.is_passed_over() || octets > bounds::SKIPPED_BLOCK_OCTETS {
            return self.fault(
                window,
                at,
                Why::Corrupt(format!("a block of type {kind} claims {octets} octets")),
            );
        }
        self.mode = Mode::PassingOver {
            left: octets - 4,
            octets: octets as u32,
        };
        Step::Go(at)
    }

    fn pass_over(&mut self, window: &Window<'_>, at: usize, left: usize, octets: u32) -> Step {
        let passed = left.min(window.left(at));
        let (at, left) = (at + passed, left - passed);
        if left == 0 {
            if let Some(closing) = window.array::<4>(at) {
                self.mode = Mode::Blocks;
                let closing = self.order.u32(closing, 0);
                if closing == octets {
                    return Step::Go(at + 4);
                }
                let why = format!("a block of {octets} octets says {closing} at its end");
                return self.fault(window, at, Why::Corrupt(why));
            }
        }
        if window.is_last() {
            let why = format!(
                "the file ends {} octets before the end of a block of {octets}",
                left + 4
            );
            return self.fault(window, at, Why::Cut(why));
        }
        self.mode = Mode::PassingOver { left, octets };
        Step::Wait(at)
    }

    /// What to do with a block that goes on beyond the window.
    fn unfinished(&mut self, window: &Window<'_>, at: usize) -> Step {
        let left = window.left(at);
        if left == 0 || !window.is_last() {
            return Step::Wait(at);
        }
        let why = match Framing::at(window, at, self.order) {
            Some(framing) => format!("the file ends {left} octets into its last block of {}", framing.octets),
            None => format!("the file ends {left} octets into a block header"),
        };
        self.fault(window, at, Why::Cut(why))
    }

    fn fault(&mut self, window: &Window<'_>, at: usize, why: Why) -> Step {
        self.mode = Mode::Searching(Search::new(window.offset(at), why));
        Step::Go(at)
    }

    /// Reads a block that lies whole in the window and whose lengths agree.
    fn whole_block(
        &mut self,
        window: &Window<'_>,
        at: usize,
        framing: Framing,
        frames: &mut Vec<FrameMeta>,
        damage: &mut DamageLog,
    ) {
        let body = &window.bytes[at..at + framing.octets - 4];
        match framing.kind {
            kind::SECTION_HEADER => {
                self.order = framing.order.unwrap_or(self.order);
                self.section(window, at, body, damage);
            }
            _ if !self.is_section_known => {}
            kind::INTERFACE => self.interface(window, at, body, damage),
            kind::ENHANCED_PACKET | kind::PACKET | kind::SIMPLE_PACKET => {
                let packet = self.packet(at, framing.kind, body);
                match self.checked_frame(&packet) {
                    Some(frame) => {
                        self.last = frame.at;
                        frames.push(frame);
                    }
                    None => damage.note(DamageKind::Corrupt, window.offset(at), || {
                        packet.contradiction(self.interfaces.len())
                    }),
                }
            }
            _ => {}
        }
    }

    fn section(&mut self, window: &Window<'_>, at: usize, body: &[u8], damage: &mut DamageLog) {
        self.interfaces.clear();
        let (major, minor) = (self.order.u16(body, 12), self.order.u16(body, 14));
        self.is_section_known = major == 1;
        if major != 1 {
            damage.note(DamageKind::Corrupt, window.offset(at), || {
                format!("a section of pcapng version {major}.{minor}, which is not known, was skipped")
            });
        }
    }

    fn interface(&mut self, window: &Window<'_>, at: usize, body: &[u8], damage: &mut DamageLog) {
        if self.interfaces.len() >= bounds::INTERFACES {
            damage.note(DamageKind::Corrupt, window.offset(at), || {
                format!("more than {} interfaces in one section", bounds::INTERFACES)
            });
            return;
        }
        let (interface, is_whole) = Interface::parse(self.order, body);
        self.interfaces.push(interface);
        if !is_whole {
            damage.note(DamageKind::Corrupt, window.offset(at), || {
                "an interface's options contradict their lengths; those before were used".into()
            });
        }
    }

    #[inline]
    fn packet(&self, at: usize, kind: u32, body: &[u8]) -> Packet {
        let order = self.order;
        if kind == kind::SIMPLE_PACKET {
            let original = order.u32(body, 8);
            let snap_octets = self
                .interfaces
                .first()
                .map_or(u32::MAX, |interface| interface.snap_octets);
            let room = body.len() - 12;
            // The length of the block counts padding, so an uncut packet is told by its own length.
            let captured = original.min(snap_octets).min(room as u32);
            return Packet {
                interface: 0,
                ticks: None,
                start: at + 12,
                room,
                captured,
                original,
            };
        }
        // The obsolete block has 16 bits each for interface and drops where the enhanced one has an interface of 32.
        let interface = if kind == kind::PACKET {
            u32::from(order.u16(body, 8))
        } else {
            order.u32(body, 8)
        };
        Packet {
            interface: interface as usize,
            ticks: Some(u64::from(order.u32(body, 12)) << 32 | u64::from(order.u32(body, 16))),
            start: at + 28,
            room: body.len() - 28,
            captured: order.u32(body, 20),
            original: order.u32(body, 24),
        }
    }

    /// The frame of *packet*; `None` if it contradicts its block or its section.
    #[inline]
    fn checked_frame(&self, packet: &Packet) -> Option<FrameMeta> {
        let interface = self.interfaces.get(packet.interface)?;
        if packet.captured as usize > packet.room.min(bounds::PACKET_OCTETS) {
            return None;
        }
        let time = packet.ticks.map_or(self.last, |ticks| interface.time(ticks));
        Some(frame(
            time,
            interface.link_type,
            packet.start,
            packet.captured,
            packet.original,
        ))
    }

    fn search(&mut self, window: &Window<'_>, at: usize, damage: &mut DamageLog) -> Step {
        let Mode::Searching(search) = &self.mode else {
            return Step::Go(at);
        };
        match search.run(window, at, damage, |place| {
            Framing::candidate(window, place, self.order)
        }) {
            Progress::Found(place) => {
                self.mode = Mode::Blocks;
                Step::Go(place)
            }
            Progress::Wait(place) => Step::Wait(place),
            Progress::Over => {
                self.mode = Mode::Over;
                Step::Wait(window.bytes.len())
            }
        }
    }
}

#[cfg(test)]
mod tests;
