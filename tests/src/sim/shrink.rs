//! Makes a failing script small: fewer actions, fewer records, fewer partitions and workers, as long as it fails.

use super::mutant::Mutant;
use super::run::play;
use super::script::Script;

/// Tries after which what is there is small enough.
const MOST_TRIES: usize = 2500;

/// The smallest script found that still fails.
pub fn shrink(script: &Script, mutant: Option<Mutant>) -> Script {
    let mut search = Search { smallest: script.clone(), mutant, tries: 0 };
    loop {
        let before = search.smallest.clone();
        search.fewer_actions();
        search.smaller_numbers();
        if search.smallest == before || search.tries >= MOST_TRIES {
            return search.smallest;
        }
    }
}

struct Search {
    smallest: Script,
    mutant: Option<Mutant>,
    tries: usize,
}

impl Search {
    /// Takes `candidate` if it fails too.
    fn take(&mut self, candidate: Script) -> bool {
        self.tries += 1;
        let fails = self.tries < MOST_TRIES && !play(&candidate, self.mutant).broken.is_empty();
        if fails {
            self.smallest = candidate;
        }
        fails
    }

    /// Leaves out halves, quarters, and at last single actions.
    fn fewer_actions(&mut self) {
        let mut size = self.smallest.actions.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < self.smallest.actions.len() {
                let mut candidate = self.smallest.clone();
                candidate.actions.drain(from..(from + size).min(candidate.actions.len()));
                if !self.take(candidate) {
                    from += size;
                }
            }
            if size == 1 {
                return;
            }
            size /= 2;
        }
    }

    fn smaller_numbers(&mut self) {
        let halve = |number: usize, least: usize| (number / 2).max(least);
        for smaller in [
            |script: &mut Script, _: usize| script.workers = script.workers.saturating_sub(1).max(1),
            |script: &mut Script, _: usize| script.partitions = script.partitions.saturating_sub(1).max(1),
        ] {
            let mut candidate = self.smallest.clone();
            smaller(&mut candidate, 0);
            if candidate != self.smallest {
                self.take(candidate);
            }
        }
        let mut step = halve(self.smallest.records, 1);
        while step > 0 {
            let mut candidate = self.smallest.clone();
            candidate.records = candidate.records.saturating_sub(step);
            if candidate.records == 0 || !self.take(candidate) {
                step /= 2;
            }
        }
        for index in 0..self.smallest.actions.len() {
            for number in [0, 1] {
                let mut candidate = self.smallest.clone();
                let action = &mut candidate.actions[index];
                let part = if number == 0 { &mut action.n } else { &mut action.m };
                if *part > 1 {
                    *part /= 2;
                    self.take(candidate);
                }
            }
        }
    }
}
