//! What every session of one engine shares.

use std::sync::Arc;

use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::interest::Interest;
use crate::limits::Limits;
use crate::record::event::Event;

/// Settings, counts and the records that became known and have not been taken yet.
#[derive(Debug)]
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
        }
    }

    /// Counts *anomaly*.
    pub fn count(&mut self, anomaly: Anomaly) {
        self.anomalies.note(anomaly);
    }
}
