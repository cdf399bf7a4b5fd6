//! The octets of one datagram, put in their places as fragments come, in any order.
//!
//! Pieces never overlap and stand in order. Where a fragment covers octets that are there already, the first copy stays.
//! A fragment that the snap length cut covers all its places, but holds only its first octets; what lies behind the
//! first such cut can't be read when the datagram is whole, only counted.

/// A run of places, and the octets that were captured of it from its start.
#[derive(Debug)]
struct Piece {
    start: usize,
    end: usize,
    /// `octets.len() <= end - start`
    octets: Vec<u8>,
}

impl Piece {
    fn captured_end(&self) -> usize {
        self.start + self.octets.len()
    }
}

/// A fragment on its way to its place: it covers `start..end`, and holds the first octets of that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub start: usize,
    pub end: usize,
    /// `octets.len() <= end - start`
    pub octets: &'a [u8],
    /// True if the datagram ends here.
    pub last: bool,
}

impl<'a> Run<'a> {
    fn captured_end(&self) -> usize {
        self.start + self.octets.len()
    }

    /// The octets captured of the places *from..to*, which lie inside the run.
    fn captured(&self, from: usize, to: usize) -> &'a [u8] {
        let captured = self.octets.len();
        &self.octets[(from - self.start).min(captured)..(to - self.start).min(captured)]
    }
}

/// How a fragment agrees with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// No octet stands against another.
    Agrees,
    /// It covers places whose octets differ.
    Differs,
    /// It says that the datagram ends elsewhere, or lies beyond its end.
    WrongEnd,
}

/// The pieces of one datagram.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// In order, without overlap.
    pieces: Vec<Piece>,
    /// Places covered by the pieces.
    covered: usize,
    /// Octets held in the pieces; `<= covered`.
    held: usize,
    /// Where the datagram ends, once its last fragment came.
    total: Option<usize>,
}

impl Pieces {
    /// Octets held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// True if every place up to the end is covered.
    pub fn is_whole(&self) -> bool {
        self.total == Some(self.covered)
    }

    /// Compares *run* with what is there; nothing changes.
    pub fn agreement(&self, run: &Run<'_>) -> Agreement {
        let furthest = self.pieces.last().map_or(0, |piece| piece.end);
        let wrong_end = self.total.is_some_and(|total| run.end > total)
            || (run.last && (run.end < furthest || self.total.is_some_and(|t| t != run.end)));
        if wrong_end {
            Agreement::WrongEnd
        } else if self.overlapping(run).any(|piece| differs(piece, run)) {
            Agreement::Differs
        } else {
            Agreement::Agrees
        }
    }

    /// Puts the octets of *run* where no others are yet. Its end agrees with the datagram's.
    pub fn insert(&mut self, run: &Run<'_>) {
        if run.last {
            self.total = Some(run.end);
        }
        if self.append(run) {
            return;
        }
        for (start, end) in self.gaps(run) {
            let octets = run.captured(start, end).to_vec();
            self.covered += end - start;
            self.held += octets.len();
            self.pieces.push(Piece { start, end, octets });
        }
        // Stable, so near linear on what is two runs in order: the pieces and the new ones behind them.
        self.pieces.sort_by_key(|piece| piece.start);
    }

    /// The datagram, as far as it was captured without a break, and the octets that lie behind that.
    pub fn take(self) -> (Vec<u8>, usize) {
        let total = self.covered;
        let mut pieces = self.pieces.into_iter();
        let mut whole = Vec::new();
        if let Some(first) = pieces.next() {
            let mut intact = first.captured_end() == first.end;
            whole = first.octets;
            for piece in pieces {
                if !intact {
                    break;
                }
                intact = piece.captured_end() == piece.end;
                whole.extend_from_slice(&piece.octets);
            }
        }
        let missing = total - whole.len();
        (whole, missing)
    }

    /// The common case: *run* follows the last piece, so no place is covered twice. False if it does not.
    fn append(&mut self, run: &Run<'_>) -> bool {
        match self.pieces.last_mut() {
            Some(last) if last.end == run.start && last.captured_end() == last.end => {
                last.octets.extend_from_slice(run.octets);
                last.end = run.end;
            }
            Some(last) if last.end > run.start => return false,
            _ => self.pieces.push(Piece {
                start: run.start,
                end: run.end,
                octets: run.octets.to_vec(),
            }),
        }
        self.covered += run.end - run.start;
        self.held += run.octets.len();
        true
    }

    /// The parts of *run* that no piece covers.
    fn gaps(&self, run: &Run<'_>) -> Vec<(usize, usize)> {
        let mut gaps = Vec::new();
        let mut from = run.start;
        for piece in self.overlapping(run) {
            if piece.start > from {
                gaps.push((from, piece.start));
            }
            from = piece.end;
        }
        if from < run.end {
            gaps.push((from, run.end));
        }
        gaps
    }

    fn overlapping(&self, run: &Run<'_>) -> impl Iterator<Item = &Piece> {
        let (start, end) = (run.start, run.end);
        let first = self.pieces.partition_point(|piece| piece.end <= start);
        self.pieces[first..].iter().take_while(move |piece| piece.start < end)
    }
}

/// True if *piece* and *run* hold different octets for one place.
fn differs(piece: &Piece, run: &Run<'_>) -> bool {
    let from = piece.start.max(run.start);
    let to = piece.captured_end().min(run.captured_end());
    from < to && piece.octets[from - piece.start..to - piece.start] != *run.captured(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(start: usize, octets: &[u8], last: bool) -> Run<'_> {
        Run {
            start,
            end: start + octets.len(),
            octets,
            last,
        }
    }

    #[test]
    fn pieces_in_any_order_make_the_datagram_whole() {
        let parts = [(0, &b"abcd"[..], false), (4, b"efgh", false), (8, b"ij", true)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut pieces = Pieces::default();
            for (n, index) in order.into_iter().enumerate() {
                assert!(!pieces.is_whole());
                let (start, octets, last) = parts[index];
                pieces.insert(&run(start, octets, last));
                assert_eq!(pieces.is_whole(), n == 2, "{order:?}");
            }
            assert_eq!(pieces.take(), (b"abcdefghij".to_vec(), 0), "{order:?}");
        }
    }

    #[test]
    fn an_end_that_disagrees_is_told() {
        let mut pieces = Pieces::default();
        pieces.insert(&run(8, b"abcdefgh", false));
        assert_eq!(pieces.agreement(&run(0, b"abcdefgh", true)), Agreement::WrongEnd);
        pieces.insert(&run(16, b"xy", true));
        for (start, octets, last) in [(16, &b"xyz"[..], false), (16, b"x", true), (24, b"x", true)] {
            assert_eq!(pieces.agreement(&run(start, octets, last)), Agreement::WrongEnd);
        }
        assert_eq!(pieces.agreement(&run(16, b"xy", true)), Agreement::Agrees);
    }

    #[test]
    fn octets_behind_a_snapped_fragment_are_counted_and_not_read() {
        let mut pieces = Pieces::default();
        pieces.insert(&Run {
            start: 0,
            end: 8,
            octets: b"abc",
            last: false,
        });
        pieces.insert(&run(8, b"ijkl", true));
        assert!(pieces.is_whole());
        assert_eq!(pieces.held(), 7);
        assert_eq!(pieces.take(), (b"abc".to_vec(), 9));
    }

    #[derive(Clone, Debug)]
    struct Step {
        start: usize,
        octets: Vec<u8>,
        snapped: usize,
        last: bool,
    }

    fn step() -> impl Strategy<Value = Step> {
        let octets = prop::collection::vec(prop_oneof![9 => Just(7_u8), 1 => any::<u8>()], 1..24);
        (
            0..64_usize,
            octets,
            prop_oneof![4 => Just(0_usize), 1 => 1..9_usize],
            prop::bool::weighted(0.1),
        )
            .prop_map(|(start, octets, snapped, last)| Step {
                start,
                octets,
                snapped,
                last,
            })
    }

    /// The dumb model: for each place, nothing, or covered with perhaps an octet.
    #[derive(Default)]
    struct Map {
        places: Vec<Option<Option<u8>>>,
        total: Option<usize>,
    }

    impl Map {
        fn agreement(&self, run: &Run<'_>) -> Agreement {
            let end = self.places.iter().rposition(Option::is_some).map_or(0, |p| p + 1);
            if self
                .total
                .is_some_and(|total| run.end > total || (run.last && run.end != total))
                || (run.last && run.end < end)
            {
                return Agreement::WrongEnd;
            }
            let differs = run
                .octets
                .iter()
                .zip(run.start..)
                .any(|(octet, place)| matches!(self.places.get(place), Some(Some(Some(known))) if known != octet));
            if differs {
                Agreement::Differs
            } else {
                Agreement::Agrees
            }
        }

        fn insert(&mut self, run: &Run<'_>) {
            self.places.resize(self.places.len().max(run.end), None);
            for place in run.start..run.end {
                let octet = run.octets.get(place - run.start).copied();
                self.places[place].get_or_insert(octet);
            }
            if run.last {
                self.total = Some(run.end);
            }
        }

        fn whole(&self) -> Option<(Vec<u8>, usize)> {
            let total = self.total?;
            let places: Option<Vec<Option<u8>>> = self.places.iter().copied().collect();
            let places = places.filter(|places| places.len() == total)?;
            let known: Vec<u8> = places.iter().map_while(|octet| *octet).collect();
            let missing = total - known.len();
            Some((known, missing))
        }
    }

    proptest! {
        #[test]
        fn pieces_hold_what_a_map_of_places_holds(steps in prop::collection::vec(step(), 1..40)) {
            let (mut pieces, mut map) = (Pieces::default(), Map::default());
            for step in &steps {
                let end = step.start + step.octets.len() + step.snapped;
                let run = Run { start: step.start, end, octets: &step.octets, last: step.last };
                let agreement = pieces.agreement(&run);
                prop_assert_eq!(agreement, map.agreement(&run));
                if agreement != Agreement::WrongEnd {
                    pieces.insert(&run);
                    map.insert(&run);
                }
                prop_assert_eq!(pieces.is_whole(), map.whole().is_some());
            }
            if let Some(whole) = map.whole() {
                prop_assert_eq!(pieces.take(), whole);
            }
        }
    }
}
