//! What every session of one engine shares.

use std::sync::Arc;

use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::content::ContentReader;
use crate::counters::Counters;
use crate::interest::Interest;
use crate::limits::Limits;
use crate::message::MessageFacts;
use crate::record::event::Event;

/// Readers kept for the mails to come: about as many as are read at a time on a busy wire; each holds up to 26 KiB.
const SPARE_READERS: usize = 64;

/// Settings, counts and the records that became known and have not been taken yet.
pub struct Context {
    /// What the artifact table wants kept.
    pub interest: Arc<Interest>,
    /// The bounds in force.
    pub limits: Limits,
    /// Counts.
    pub counters: Counters,
    /// How often each anomaly was seen.
    pub anomalies: AnomalyCounts,
    /// Records, oldest first. Whoever drives the engine takes them out.
    pub events: Vec<Event>,
    #[allow(clippy::vec_box)] // drafts hold them boxed: they go there and come back without being copied
    spare_readers: Vec<Box<ContentReader>>,
    /// What all sessions hold together, and flows that may become sessions.
    held_octets: usize,
}

impl Context {
    /// A fresh context.
    #[must_use]
    pub fn new(interest: Arc<Interest>, limits: Limits) -> Self {
        Self {
            interest,
            limits,
            counters: Counters::default(),
            anomalies: AnomalyCounts::default(),
            events: Vec::new(),
            spare_readers: Vec::new(),
            held_octets: 0,
        }
    }

    /// A reader at the start of a mail's content; the buffers of an earlier one where there is one to spare.
    pub fn reader(&mut self) -> Box<ContentReader> {
        let spare = self.spare_readers.pop();
        spare.unwrap_or_else(|| Box::new(ContentReader::new(&self.limits)))
    }

    /// Takes back a reader that has finished.
    pub fn spare(&mut self, mut reader: Box<ContentReader>) {
        if self.spare_readers.len() < SPARE_READERS {
            reader.restart();
            self.spare_readers.push(reader);
        }
    }

    /// What all sessions hold together, and flows that may become sessions.
    #[must_use]
    pub const fn held_octets(&self) -> usize {
        self.held_octets
    }

    /// A session that was *accounted* to hold so many octets holds *octets* now. True if it must shed some: all together hold more
    /// than they may, and it holds more than its even share. That share is left to each, so that a few that hold much do not
    /// cost all others their envelopes.
    pub fn holds(&mut self, accounted: &mut usize, octets: usize) -> bool {
        self.held_octets = self.held_octets.saturating_sub(*accounted).saturating_add(octets);
        *accounted = octets;
        self.held_octets > self.limits.session_octets && octets > self.limits.session_octets / self.limits.flows.max(1)
    }

    /// Counts what the content of a mail told, *facts*.
    pub fn tell_content(&mut self, facts: &MessageFacts) {
        for anomaly in facts.anomalies.iter() {
            self.anomalies.note(anomaly);
        }
        self.counters.content_octets += facts.size_octets;
    }

    /// Counts *anomaly*.
    pub fn count(&mut self, anomaly: Anomaly) {
        self.anomalies.note(anomaly);
    }
}
