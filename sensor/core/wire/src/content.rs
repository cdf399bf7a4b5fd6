//! temp
use crate::{counters::Counters, interest::Interest, limits::Limits, message::MessageFacts};
#[derive(Debug, Default)]
pub struct ContentReader { seen: Vec<u8>, missing: u64 }
impl ContentReader {
    pub fn new() -> Self { Self::default() }
    pub fn feed(&mut self, chunk: &[u8], _: &Interest, _: &Limits, _: &mut Counters) { self.seen.extend_from_slice(chunk); }
    pub fn gap(&mut self, octets: u64) { self.missing += octets; }
    pub fn finish(&mut self, _: &Interest, _: &Limits, _: &mut Counters) -> (MessageFacts, bool) {
        (MessageFacts { size_octets: self.seen.len() as u64, ..MessageFacts::default() }, false)
    }
}
