//! How many source partitions a window waits for: the topology epochs.
//!
//! What it keeps true: partitions are only ever added, at a boundary of the window grid, and a window belongs to the epoch that
//! holds at its start; so no window mixes two epochs, and none waits for a partition that joined after it.

use crate::units::{EventTime, Partition};
use crate::window::Window;

/// The epochs of a topic, by rising boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Start of the first window, and the partitions from there on.
    epochs: Vec<(EventTime, usize)>,
}

impl Topology {
    /// A topic that has always had `partitions` partitions.
    pub fn of(partitions: usize) -> Self {
        Self { epochs: vec![(EventTime::NEVER, partitions)] }
    }

    /// A topic that has grown: from each boundary on so many partitions. The first epoch has no beginning, whatever is said; one
    /// that does not come later, or does not have more partitions, than the one before it is left out.
    pub fn grown(epochs: impl IntoIterator<Item = (EventTime, usize)>) -> Self {
        let mut grown: Vec<(EventTime, usize)> = Vec::new();
        for (from, partitions) in epochs {
            match grown.last() {
                None => grown.push((EventTime::NEVER, partitions)),
                Some((last, before)) if from > *last && partitions > *before => grown.push((from, partitions)),
                Some(_) => {}
            }
        }
        Self { epochs: grown }
    }

    /// The partitions of the last epoch.
    pub fn partitions(&self) -> usize {
        self.epochs.last().map_or(0, |(_, partitions)| *partitions)
    }

    /// How many partitions must seal `window`.
    pub fn partitions_of(&self, window: Window) -> usize {
        let epochs = self.epochs.iter().take_while(|(from, _)| *from <= window.start);
        epochs.last().map_or(0, |(_, partitions)| *partitions)
    }

    /// The watermark with which a partition begins: its records for windows before it joined are late.
    pub fn joins(&self, partition: Partition) -> EventTime {
        let epoch = self.epochs.iter().find(|(_, partitions)| (partition.0 as usize) < *partitions);
        epoch.map_or(EventTime::NEVER, |(from, _)| *from)
    }

    /// Every window that ends by then is sealed by all partitions of its epoch; `sealed` is by partition.
    pub(crate) fn sealed_by_all(&self, sealed: &[EventTime]) -> EventTime {
        let mut by_all = EventTime::NEVER;
        for (epoch, (from, partitions)) in self.epochs.iter().enumerate() {
            let least = sealed.iter().take(*partitions).copied().min().unwrap_or(EventTime::NEVER);
            by_all = least.max(*from);
            if self.epochs.get(epoch + 1).is_none_or(|(next, _)| least < *next) {
                break;
            }
        }
        by_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64) -> Window {
        Window { start: EventTime(start), end: EventTime(start + 10) }
    }

    #[test]
    fn a_window_waits_for_the_partitions_of_its_epoch() {
        let grown = Topology::grown([(EventTime(5), 2), (EventTime(100), 3), (EventTime(100), 9), (EventTime(200), 5)]);
        assert_eq!(grown.partitions(), 5);
        for (start, partitions) in [(-1000, 2), (90, 2), (100, 3), (190, 3), (200, 5)] {
            assert_eq!(grown.partitions_of(window(start)), partitions, "window {start}");
        }
        for (partition, joins) in [(0, i64::MIN), (1, i64::MIN), (2, 100), (3, 200), (4, 200)] {
            assert_eq!(grown.joins(Partition(partition)), EventTime(joins), "partition {partition}");
        }
    }

    #[test]
    fn sealed_by_all_does_not_wait_for_who_joined_later() {
        let grown = Topology::grown([(EventTime::NEVER, 2), (EventTime(100), 3)]);
        let never = i64::MIN;
        let cases = [
            ([never, 50, never], never),
            ([70, 50, never], 50),
            ([100, 90, 500], 90),
            // The windows before 100 are all sealed; those after wait for the third.
            ([100, 130, never], 100),
            ([140, 130, 120], 120),
        ];
        for (sealed, by_all) in cases {
            assert_eq!(grown.sealed_by_all(&sealed.map(EventTime)), EventTime(by_all), "{sealed:?}");
        }
    }
}
