//! The drafts of one session, oldest first, and how many octets they hold together.

use std::collections::VecDeque;

use super::draft::Draft;

/// Drafts, of which only the newest grows. What the others hold is counted once, when the next one opens.
#[derive(Default)]
pub(super) struct Drafts {
    /// Boxed: nearly every session has one at a time, and room for four large ones is dear.
    list: VecDeque<Box<Draft>>,
    /// What all but the newest hold, their own size included.
    behind: usize,
}

impl Drafts {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Draft> {
        self.list.front().map(Box::as_ref)
    }

    pub(super) fn back(&self) -> Option<&Draft> {
        self.list.back().map(Box::as_ref)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut Draft> {
        self.list.back_mut().map(Box::as_mut)
    }

    pub(super) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Draft> {
        self.list.iter_mut().map(Box::as_mut)
    }

    pub(super) fn push_back(&mut self, draft: Box<Draft>) {
        if let Some(last) = self.list.back_mut() {
            last.counted = size_of::<Draft>() + last.held_octets();
            self.behind = self.behind.saturating_add(last.counted);
        }
        self.list.push_back(draft);
    }

    pub(super) fn pop_front(&mut self) -> Option<Box<Draft>> {
        let draft = self.list.pop_front()?;
        if !self.list.is_empty() {
            self.behind = self.behind.saturating_sub(draft.counted);
        }
        Some(draft)
    }

    pub(super) fn pop_back(&mut self) -> Option<Box<Draft>> {
        let draft = self.list.pop_back()?;
        if let Some(last) = self.list.back() {
            self.behind = self.behind.saturating_sub(last.counted);
        }
        Some(draft)
    }

    /// Octets they hold beside the size of one, without a walk over them.
    pub(super) fn held_octets(&self) -> usize {
        let newest = self.list.back().map_or(0, |draft| draft.held_octets());
        self.behind.saturating_add(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(address_octets: usize) -> Box<Draft> {
        let mut draft = Draft::default();
        draft.envelope_octets = address_octets;
        Box::new(draft)
    }

    #[test]
    fn what_drafts_hold_is_what_each_holds_whichever_comes_and_goes() {
        let mut drafts = Drafts::default();
        let acts = [10_isize, 0, 20, 30, 0, -1, 40, 50, -1, -1, 0, 0, 60, -1];
        for act in acts {
            match act {
                0 => drop(drafts.pop_front()),
                -1 => drop(drafts.pop_back()),
                octets => drafts.push_back(draft(octets.unsigned_abs())),
            }
            let each = drafts.iter_mut().map(|draft| size_of::<Draft>() + draft.held_octets());
            let sum: usize = each.sum();
            assert_eq!(drafts.held_octets(), sum.saturating_sub(size_of::<Draft>()));
        }
        assert!(drafts.is_empty());
    }
}
