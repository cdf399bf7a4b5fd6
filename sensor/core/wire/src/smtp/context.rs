//! What every session of one engine shares.

use std::sync::Arc;

use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::content::ContentReader;
use crate::counters::Counters;
use crate::interest::Interest;
use crate::limits::Limits;
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

    /// Counts *anomaly*.
    pub fn count(&mut self, anomaly: Anomaly) {
        self.anomalies.note(anomaly);
    }
}
