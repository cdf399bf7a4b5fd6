//! A batch of events as Python's objects share it: what is drawn of them ahead, and where their memory goes back.
//!
//! A record is some thirty strings. Giving back the memory of a batch would keep the thread that runs Python busy for
//! milliseconds, so a thread of its own does it.

use std::ops::Deref;
use std::sync::{Mutex, OnceLock};
use std::thread;

use crossbeam_channel::{bounded, Sender};
use wire::record::event::Event;

use crate::reading::lock;
use crate::trace::Facts;

/// Batches that wait for their memory to be given back; whoever drops one more does it himself.
const WAITING_TO_BE_FREED: usize = 8;
/// Fewer events are given back where they are: handing them over costs more.
const WORTH_HANDING_OVER: usize = 128;

/// Events in the order in which they became known.
#[derive(Default)]
pub struct EventList {
    events: Vec<Event>,
    drawn: Mutex<Option<Vec<Option<Facts>>>>,
}

impl EventList {
    /// *events*, with the facts of their mails drawn already: for threads that have time for it.
    pub fn drawn(events: Vec<Event>) -> Self {
        let facts = events.iter().map(facts_of).collect();
        Self {
            events,
            drawn: Mutex::new(Some(facts)),
        }
    }

    /// By event the facts of its mail, none for sessions. They are drawn now if they were not before.
    pub fn take_facts(&self) -> Vec<Option<Facts>> {
        let drawn = lock(&self.drawn).take();
        drawn.unwrap_or_else(|| self.events.iter().map(facts_of).collect())
    }
}

impl From<Vec<Event>> for EventList {
    fn from(events: Vec<Event>) -> Self {
        Self {
            events,
            drawn: Mutex::new(None),
        }
    }
}

impl Deref for EventList {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}

impl Drop for EventList {
    fn drop(&mut self) {
        if self.events.len() < WORTH_HANDING_OVER {
            return;
        }
        if let Some(freeing) = freeing() {
            // What finds no room is dropped with the error.
            let _ = freeing.try_send(std::mem::take(&mut self.events));
        }
    }
}

fn facts_of(event: &Event) -> Option<Facts> {
    match event {
        Event::Transaction(transaction) => Some(Facts::of(transaction)),
        Event::Session(_) => None,
    }
}

/// The way to the thread that gives memory back, started when it is first needed; none where no thread can be started.
fn freeing() -> Option<&'static Sender<Vec<Event>>> {
    static FREEING: OnceLock<Option<Sender<Vec<Event>>>> = OnceLock::new();
    let started = FREEING.get_or_init(|| {
        let (sender, dropped) = bounded(WAITING_TO_BE_FREED);
        let thread = thread::Builder::new().name("mailsensor-free".to_owned());
        thread.spawn(move || dropped.iter().for_each(drop::<Vec<Event>>)).ok()?;
        Some(sender)
    });
    started.as_ref()
}
