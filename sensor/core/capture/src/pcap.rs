//! The classic capture format: a file header, then records, each a header of 16 octets and the captured octets.
//!
//! Source: draft-ietf-opsawg-pcap (sections 4 and 5). Read besides it: the "modified" format of old Linux kernels' libpcap
//! patch (records of 24 octets header), and files put behind each other with `cat`.
//!
//! A record is believed at once if it is **plain** (it has octets, not more than the packet had, that not more than the
//! bound, and a fraction below one second) and its time is **near** the last one. A record that is only one of both is
//! believed if a record with a time near its own, or near the last, follows; after a step in time, both must be plain. Otherwise it is
//! corrupt, and the next record is searched for: a **chain** of plain headers with times near each other, each at the
//! place that the one before it names. So records after a step of months right behind corrupt octets are not found: the
//! price of not taking other data in the packets for records.

use wire::frame::{LinkType, Timestamp};

use crate::batch::FrameMeta;
use crate::bounds;
use crate::byte_order::ByteOrder;
use crate::damage::{DamageKind, DamageLog};
use crate::resync::{Candidate, Progress, Search, Why};
use crate::window::{frame, End, Step, Window};

/// Octets of the file header.
const FILE_HEADER_OCTETS: usize = 24;
/// Octets of a record header.
const RECORD_HEADER_OCTETS: usize = 16;
/// Octets of a record header in the modified format: an interface number, a protocol and a packet type follow.
pub(crate) const MODIFIED_HEADER_OCTETS: usize = 24;
/// Plain headers that must follow each other to be taken for records. With lengths below 2^18 and times within a month,
/// random octets pass one header in about 10^9, so three do not occur.
pub(crate) const CHAIN: usize = 3;
/// Seconds a record may lie before the one ahead of it: several capture threads and corrected clocks.
const NEAR_BEFORE_S: i64 = 3_600;
/// Seconds a record may lie behind the one ahead of it: a quiet link.
const NEAR_AFTER_S: i64 = 31 * 86_400;

/// How the numbers of a file are written, as its magic says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoding {
    order: ByteOrder,
    /// Nanoseconds in one unit of a record's fraction: 1,000 or 1.
    unit_ns: u32,
    units_per_s: u32,
    record_header_octets: usize,
}

impl Encoding {
    /// Tells it by the first four octets.
    pub fn of(first: &[u8]) -> Option<Self> {
        let magic = first.first_chunk::<4>()?;
        [ByteOrder::Big, ByteOrder::Little].into_iter().find_map(|order| {
            let (unit_ns, record_header_octets) = match order.u32(magic, 0) {
                0xa1b2_c3d4 => (1_000, RECORD_HEADER_OCTETS),
                0xa1b2_3c4d => (1, RECORD_HEADER_OCTETS),
                0xa1b2_cd34 => (1_000, MODIFIED_HEADER_OCTETS),
                _ => return None,
            };
            Some(Self {
                order,
                unit_ns,
                units_per_s: 1_000_000_000 / unit_ns,
                record_header_octets,
            })
        })
    }

    #[inline]
    fn record(&self, window: &Window<'_>, at: usize) -> Option<Record> {
        let raw = window.array::<RECORD_HEADER_OCTETS>(at)?;
        Some(Record {
            seconds: self.order.u32(raw, 0),
            fraction: self.order.u32(raw, 4),
            captured: self.order.u32(raw, 8),
            original: self.order.u32(raw, 12),
        })
    }

    #[inline]
    fn is_plain(&self, record: &Record) -> bool {
        // 0 - 1 wraps to more than any bound: a record without octets is not plain.
        record.captured.wrapping_sub(1) < record.original
            && record.original <= bounds::PACKET_OCTETS as u32
            && record.fraction < self.units_per_s
    }

    #[inline]
    fn time(&self, record: &Record) -> Timestamp {
        // At most 2^32 seconds and as many microseconds: below 2^63 nanoseconds.
        Timestamp(i64::from(record.seconds) * 1_000_000_000 + i64::from(record.fraction) * i64::from(self.unit_ns))
    }
}

/// A record's header, unbelieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Record {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl Record {
    fn is_near(&self, before_s: u32) -> bool {
        let step = i64::from(self.seconds) - i64::from(before_s);
        (-NEAR_BEFORE_S..=NEAR_AFTER_S).contains(&step)
    }

    fn is_too_long(&self) -> bool {
        self.captured as usize > bounds::PACKET_OCTETS
    }
}

/// Reads a file in this format.
#[derive(Debug)]
pub(crate) struct Pcap {
    encoding: Encoding,
    link_type: LinkType,
    /// Seconds of the record read last: the measure of what is near.
    last_s: Option<u32>,
    /// True once a second record agreed with the first: until then, a search does not go by its time.
    is_time_confirmed: bool,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    FileHeader,
    Records,
    Searching(Search),
    Over,
}

/// Whether an odd record is believed.
enum Belief {
    Yes,
    NewFile,
    NeedMore,
    No(String),
}

impl Pcap {
    /// A reader at the start of a file of this *encoding*.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            link_type: LinkType::NULL,
            last_s: None,
            is_time_confirmed: false,
            mode: Mode::FileHeader,
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
            let step = match &self.mode {
                Mode::FileHeader => self.file_header(window, at, damage),
                Mode::Records => self.records(window, at, frames),
                Mode::Searching(_) => self.search(window, at, damage),
                Mode::Over => Step::Wait(window.bytes.len()),
            };
            match step {
                Step::Go(next) => at = next,
                Step::Wait(next) => return next,
            }
        }
    }

    fn file_header(&mut self, window: &Window<'_>, at: usize, damage: &mut DamageLog) -> Step {
        let Some(raw) = window.array::<FILE_HEADER_OCTETS>(at) else {
            if window.is_last() {
                self.cut_file_header(window, at, damage);
            }
            return Step::Wait(at);
        };
        let Some(encoding) = Encoding::of(raw) else {
            return self.fault(
                window,
                at,
                Why::Corrupt("the file header has lost its magic number".into()),
            );
        };
        let order = encoding.order;
        let (major, minor) = (order.u16(raw, 4), order.u16(raw, 6));
        if major != 2 {
            damage.note(DamageKind::Corrupt, window.offset(at), || {
                format!("pcap version {major}.{minor} is not known; read as version 2.4")
            });
        }
        self.encoding = encoding;
        // The upper half holds the length of frame check sequences, if any (draft section 4).
        self.link_type = LinkType(order.u32(raw, 20) & 0xffff);
        // Another file has times of its own.
        self.last_s = None;
        self.mode = Mode::Records;
        Step::Go(at + FILE_HEADER_OCTETS)
    }

    fn cut_file_header(&mut self, window: &Window<'_>, at: usize, damage: &mut DamageLog) {
        self.mode = Mode::Over;
        if window.end == End::OfReading {
            return; // Noted where the stream broke off.
        }
        damage.note(DamageKind::Truncated, window.offset(at), || {
            format!(
                "the file ends {} octets into its header of {FILE_HEADER_OCTETS}",
                window.left(at)
            )
        });
    }

    fn records(&mut self, window: &Window<'_>, mut at: usize, frames: &mut Vec<FrameMeta>) -> Step {
        let encoding = self.encoding;
        while let Some(record) = encoding.record(window, at) {
            let is_near = self.last_s.is_none_or(|last_s| record.is_near(last_s));
            if !(is_near && encoding.is_plain(&record)) {
                match self.believe(window, at, &record) {
                    Belief::Yes => {}
                    Belief::NewFile => {
                        self.mode = Mode::FileHeader;
                        return Step::Go(at);
                    }
                    Belief::NeedMore => return Step::Wait(at),
                    Belief::No(why) => return self.fault(window, at, Why::Corrupt(why)),
                }
            }
            let start = at + encoding.record_header_octets;
            let end = start + record.captured as usize;
            if end > window.bytes.len() {
                break;
            }
            frames.push(frame(
                encoding.time(&record),
                self.link_type,
                start,
                record.captured,
                record.original,
            ));
            self.is_time_confirmed = self.last_s.is_some();
            self.last_s = Some(record.seconds);
            at = end;
        }
        self.unfinished(window, at)
    }

    /// What to do with a record that goes on beyond the window.
    fn unfinished(&mut self, window: &Window<'_>, at: usize) -> Step {
        let left = window.left(at);
        if left == 0 || !window.is_last() {
            return Step::Wait(at);
        }
        let why = match self.encoding.record(window, at) {
            Some(record) => {
                let whole = self.encoding.record_header_octets + record.captured as usize;
                format!("the file ends {left} octets into its last record of {whole}")
            }
            None => format!("the file ends {left} octets into a record header"),
        };
        self.fault(window, at, Why::Cut(why))
    }

    fn fault(&mut self, window: &Window<'_>, at: usize, why: Why) -> Step {
        self.mode = Mode::Searching(Search::new(window.offset(at), why));
        Step::Go(at)
    }

    fn believe(&self, window: &Window<'_>, at: usize, record: &Record) -> Belief {
        if Encoding::of(&window.bytes[at..]).is_some() {
            return match is_file_header(window, at) {
                Some(true) => Belief::NewFile,
                None if !window.is_last() => Belief::NeedMore,
                _ => Belief::No("a record header that reads as the start of another file".into()),
            };
        }
        if record.is_too_long() {
            let (captured, most) = (record.captured, bounds::PACKET_OCTETS);
            return Belief::No(format!("a record claims {captured} captured octets, more than {most}"));
        }
        if *record == Record::default() {
            return Belief::No("zero octets stand where a record should".into());
        }
        self.believe_by_successor(window, at, record)
    }

    fn believe_by_successor(&self, window: &Window<'_>, at: usize, record: &Record) -> Belief {
        let next = at + self.encoding.record_header_octets + record.captured as usize;
        match self.encoding.record(window, next) {
            Some(after) if self.is_succession(record, &after) => Belief::Yes,
            Some(_) if is_file_header(window, next) == Some(true) => Belief::Yes,
            None if !window.is_last() => Belief::NeedMore,
            None if next >= window.bytes.len() => Belief::Yes,
            _ => {
                let Record {
                    captured,
                    original,
                    seconds,
                    ..
                } = record;
                Belief::No(format!(
                    "a record at {seconds} s with {captured} captured octets of {original} leads to no other"
                ))
            }
        }
    }

    /// Whether *after* makes *record* credible. Lengths that some tool writes oddly go with times that run on; a step in time
    /// goes with plain lengths. Both at once are what a header looks like that is read some octets beside its place.
    fn is_succession(&self, record: &Record, after: &Record) -> bool {
        let is_step = self.last_s.is_some_and(|last_s| !record.is_near(last_s));
        let is_plain = self.encoding.is_plain(record) && self.encoding.is_plain(after);
        // One broken time stamp among right ones: the record behind it is near the one before it.
        let runs_on = after.is_near(record.seconds) || self.last_s.is_some_and(|last_s| after.is_near(last_s));
        runs_on && !after.is_too_long() && (is_plain || !is_step)
    }

    fn search(&mut self, window: &Window<'_>, at: usize, damage: &mut DamageLog) -> Step {
        let Mode::Searching(search) = &self.mode else {
            return Step::Go(at);
        };
        match search.run(window, at, damage, |place| self.candidate(window, place)) {
            Progress::Found(place) => {
                self.mode = Mode::Records;
                Step::Go(place)
            }
            Progress::Wait(place) => Step::Wait(place),
            Progress::Over => {
                self.mode = Mode::Over;
                Step::Wait(window.bytes.len())
            }
        }
    }

    /// Whether a chain of records, or another file, starts at *at*.
    #[inline]
    fn candidate(&self, window: &Window<'_>, at: usize) -> Candidate {
        // The highest octet of a plain captured length, and of a file header's time zone, is zero: most places end here.
        let highest = match self.encoding.order {
            ByteOrder::Big => at + 8,
            ByteOrder::Little => at + 11,
        };
        match window.bytes.get(highest) {
            Some(0) | None => self.chain(window, at),
            Some(_) => Candidate::No,
        }
    }

    fn chain(&self, window: &Window<'_>, at: usize) -> Candidate {
        if is_file_header(window, at) == Some(true) {
            return Candidate::Yes;
        }
        let mut place = at;
        let mut before_s = self.last_s.filter(|_| self.is_time_confirmed);
        for links in 0..CHAIN {
            let Some(record) = self.encoding.record(window, place) else {
                return match (window.is_last(), links > 0 && place == window.bytes.len()) {
                    (true, true) => Candidate::Yes,
                    (true, false) => Candidate::No,
                    (false, _) => Candidate::NeedMore,
                };
            };
            let is_near = before_s.is_none_or(|before_s| record.is_near(before_s));
            if !(is_near && self.encoding.is_plain(&record)) {
                return Candidate::No;
            }
            before_s = Some(record.seconds);
            place += self.encoding.record_header_octets + record.captured as usize;
        }
        Candidate::Yes
    }
}

/// Whether the header of another file, of the version all tools write, stands at *at*; `None` if it can't be told yet.
fn is_file_header(window: &Window<'_>, at: usize) -> Option<bool> {
    let Some(encoding) = Encoding::of(window.bytes.get(at..)?) else {
        return Some(false);
    };
    let raw = window.array::<FILE_HEADER_OCTETS>(at)?;
    Some((encoding.order.u16(raw, 4), encoding.order.u16(raw, 6)) == (2, 4))
}

#[cfg(test)]
mod tests;
