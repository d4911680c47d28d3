//! The pipeline's meaning becomes another one, and its workers learn of it one after the other.

use schemas::epochs::{Epochs, PreviousMeaning};
use stream_core::EventTime;
use worker::meaning::Previous;

use crate::sim::domain::{Domain, START};
use crate::sim::run::Sim;
use crate::sim::world::{Pid, Revised, World};

/// Most windows that a boundary is put off for the grids of both meanings to meet.
const MOST_WINDOWS: i64 = 50;

impl Sim {
    /// As the operator does it: the boundary begins the first window behind everything that is known, on both grids if it is so
    /// `aligned`. No worker knows of it yet.
    pub(super) fn revise(&self, change: usize, aligned: bool) {
        let mut world = self.world();
        if world.bounds.is_some() || world.revised.is_some() {
            return;
        }
        let domain = Domain::revised(self.kind, world.epochs[0].1, change);
        let (grid, before) = (domain.program.windows, self.domain.program.windows);
        let skew = self.domain.params.max_future_skew.max(domain.params.max_future_skew);
        let last = world.epochs.last().map_or(EventTime::NEVER, |(from, _)| *from);
        let from = grid.ceil(grid.of(world.newest(skew)).end.max(last));
        let mut starts = (0..MOST_WINDOWS).map(|number| EventTime(from.0 + number * grid.size));
        let until = starts.find(|start| aligned && before.floor(*start) == *start).unwrap_or(from);
        let previous = Some(PreviousMeaning { until: until.0, spec: self.domain.spec.clone() });
        let epochs = Epochs { previous, ..Epochs::default() };
        let previous = Previous::of(&domain.plan, &domain.program, &epochs).expect("both manifests compile");
        let previous = previous.expect("the meanings differ");
        world.tally.count("change: a meaning was changed in mid-run");
        let (slots, begun) = Default::default();
        let (since, entered, over) = Default::default();
        world.revised = Some(Revised { domain, previous, slots, begun, since, entered, over });
    }

    /// Starts a worker that does not know of the change anew, with the new meaning.
    pub(super) fn roll(&self, which: usize, is_killed: bool) {
        let left: Vec<usize> = {
            let world = self.world();
            let Some(revised) = &world.revised else { return };
            (0..self.workers).filter(|slot| !revised.slots.contains(slot)).collect()
        };
        let Some(slot) = left.get(which % left.len().max(1)).copied() else { return };
        match self.member(slot) {
            Some(pid) if is_killed => self.world().die(pid),
            Some(pid) => self.stop(pid),
            None => {}
        }
        let mut world = self.world();
        if let Some(revised) = &mut world.revised {
            revised.slots.insert(slot);
        }
        if left.len() > 1 {
            world.tally.count("change: workers of both meanings lived side by side");
        }
        drop(world);
        self.start(slot);
    }
}

impl World {
    /// The largest event time that may have been judged, at the most.
    pub fn newest(&self, skew: i64) -> EventTime {
        EventTime(self.sources.iter().filter_map(|source| source.newest(skew)).max().unwrap_or(START))
    }

    /// No more workers are started with the meaning before. Where nothing of the new one has arrived yet, those that still live end.
    pub fn end_before(&mut self) {
        let begun = self.withheld().is_none();
        let Some(revised) = &mut self.revised else { return };
        revised.slots.extend(0..self.disks.len());
        let before: Vec<Pid> = (0..self.lives.len()).filter(|pid| !begun && !self.lives[*pid].is_new).collect();
        for pid in before {
            self.die(pid);
        }
    }
}
