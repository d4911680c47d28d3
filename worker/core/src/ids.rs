//! The ids remembered in one open window: a set of 128-bit hashes that stays below 32 bytes per id.
//!
//! Ordered linear probing (Amble and Knuth, "Ordered hash tables", 1974): the home slot grows with the id, runs are kept
//! sorted, so a search for what is absent ends early and growth by any factor is one sequential copy. The last slots are
//! a tail behind the highest home, so no run ever wraps round; it is made longer in the rare case that it fills up. An
//! empty slot is zero; the id zero is stored as one.

/// Slots behind the last home, at first, and how many more are added when they are full.
const TAIL: usize = 64;
/// Homes of the smallest set that holds anything.
const SMALLEST: usize = 64;

/// A set of ids, all of them hashes (their high bits must be evenly spread).
#[derive(Debug, Default, Clone)]
pub struct IdSet {
    slots: Vec<u128>,
    homes: usize,
    len: usize,
}

impl IdSet {
    /// How many ids are remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The set of `ids`, in any order, perhaps with repetitions.
    pub fn of(mut ids: Vec<u128>) -> Self {
        for id in &mut ids {
            *id = (*id).max(1);
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Self::default();
        }
        let homes = (ids.len() + ids.len() / 3 + 1).max(SMALLEST);
        Self { slots: respread(&ids, homes), homes, len: ids.len() }
    }

    /// The ids, by value.
    pub fn iter(&self) -> impl Iterator<Item = u128> + '_ {
        self.slots.iter().copied().filter(|slot| *slot != 0)
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u128>()
    }

    /// The content of `id`'s home slot. Reading the homes of the ids to come, some records ahead, lets the processor
    /// fetch their cache lines side by side.
    #[inline]
    pub fn home_content(&self, id: u128) -> u128 {
        if self.slots.is_empty() { 0 } else { self.slots[home(id.max(1), self.homes)] }
    }

    /// Whether `id` is remembered.
    #[inline]
    pub fn contains(&self, id: u128) -> bool {
        if self.slots.is_empty() {
            return false;
        }
        let id = id.max(1);
        let from = home(id, self.homes);
        self.slots[from..].iter().find(|slot| **slot == 0 || **slot >= id) == Some(&id)
    }

    /// Remembers `id`; false when it already was.
    #[inline]
    pub fn insert(&mut self, id: u128) -> bool {
        let id = id.max(1);
        if (self.len + 1) * 4 > self.homes * 3 {
            self.grow();
        }
        loop {
            match self.place(id) {
                Placed::New => {
                    self.len += 1;
                    return true;
                }
                Placed::Known => return false,
                Placed::TailFull => lengthen(&mut self.slots),
            }
        }
    }

    #[inline]
    fn place(&mut self, id: u128) -> Placed {
        let mut at = home(id, self.homes);
        while self.slots[at] != 0 && self.slots[at] < id {
            at += 1;
            if at == self.slots.len() {
                return Placed::TailFull;
            }
        }
        if self.slots[at] == id {
            return Placed::Known;
        }
        let Some(free) = self.slots[at..].iter().position(|slot| *slot == 0) else {
            return Placed::TailFull;
        };
        self.slots.copy_within(at..at + free, at + 1);
        self.slots[at] = id;
        Placed::New
    }

    /// Makes room: a third more homes, every id moved in order.
    #[cold]
    fn grow(&mut self) {
        self.homes = (self.homes + self.homes / 3).max(SMALLEST);
        self.slots = respread(&self.slots, self.homes);
    }
}

enum Placed {
    New,
    Known,
    TailFull,
}

/// Maps the id's high bits onto `0..homes` by multiplication, which keeps their order.
#[inline]
fn home(id: u128, homes: usize) -> usize {
    (((id >> 64) * homes as u128) >> 64) as usize
}

/// The ids of `old` spread over `homes`.
fn respread(old: &[u128], homes: usize) -> Vec<u128> {
    let mut slots = vec![0; homes + TAIL];
    let mut next = 0;
    for id in old.iter().copied().filter(|id| *id != 0) {
        let at = home(id, homes).max(next);
        if at == slots.len() {
            lengthen(&mut slots);
        }
        slots[at] = id;
        next = at + 1;
    }
    slots
}

/// A longer tail.
#[cold]
fn lengthen(slots: &mut Vec<u128>) {
    slots.reserve_exact(TAIL);
    slots.resize(slots.len() + TAIL, 0);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(ids in prop::collection::vec(clustered(), 0..3000)) {
            let mut set = IdSet::default();
            let mut model = BTreeSet::new();
            for id in ids {
                prop_assert_eq!(set.contains(id), model.contains(&id.max(1)));
                prop_assert_eq!(set.insert(id), model.insert(id.max(1)));
                prop_assert_eq!(set.len(), model.len());
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            let mut again = IdSet::of(set.iter().chain(model).collect());
            prop_assert!(again.iter().eq(set.iter()));
            prop_assert_eq!(again.len(), set.len());
            prop_assert!(set.iter().all(|id| again.contains(id) && !again.insert(id)));
        }
    }

    /// Ids that fall on few homes, next to ids spread evenly.
    fn clustered() -> impl Strategy<Value = u128> {
        prop_oneof![any::<u128>(), (0_u128..300).prop_map(|low| (u128::MAX << 64) | low), 0_u128..300]
    }

    /// Ids that all want the last home take one slot each, and no more homes than others.
    #[test]
    fn ids_with_the_same_high_bits_do_not_blow_it_up() {
        let mut set = IdSet::default();
        for low in 0..2000 {
            assert!(set.insert((u128::MAX << 64) | low));
        }
        assert!((0..2000).all(|low| set.contains((u128::MAX << 64) | low) && !set.insert((u128::MAX << 64) | low)));
        assert!(set.bytes() < 128 * 2000, "{} bytes", set.bytes());
    }

    #[test]
    fn holds_a_million_spread_ids_in_less_than_32_bytes_each() {
        let mut set = IdSet::default();
        for n in 0_u64..1_000_000 {
            set.insert(xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes()));
            assert!(set.len() < 10_000 || set.bytes() <= 32 * set.len(), "{} bytes for {} ids", set.bytes(), set.len());
        }
        assert_eq!(set.len(), 1_000_000);
    }
}
