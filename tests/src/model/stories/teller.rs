//! A way to write logs that read aloud: window 10, delay 5, generous skew, one batch, until the story says otherwise.

use crate::model::{Answer, Doubt, Event, Params, PartitionOutcome, Record, Verdict, Window, run};

/// The plainest pipeline.
pub(super) fn plain() -> Params {
    Params {
        delay: 5,
        max_future_skew: 1000,
        earliest: -1_000_000_000,
        doubt: Doubt::NONE,
        window: 10,
        window_offset: 0,
        batch_interval: 1_000_000,
        batch_max_records: 1_000_000,
        dead_letter: Vec::new(),
    }
}

/// A log under construction. Each event gets the next offset and its event time as its log time.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    next: i64,
    pub records: Vec<Record>,
}

impl Log {
    pub fn new() -> Self {
        Self::default()
    }

    /// An event that passes everything, with the value 1.
    pub fn event(self, id: &str, event_time: i64) -> Self {
        let event = Event {
            id: Some(id.to_owned()),
            event_time: Some(event_time),
            rules: Vec::new(),
            filter: true,
            group: vec![Some("eu".to_owned())],
            values: vec![Some(1)],
        };
        self.push(event_time, Some(event))
    }

    pub fn undecodable(self) -> Self {
        let log_time = self.records.last().map_or(0, |last| last.log_time);
        self.push(log_time, None)
    }

    /// Offsets that hold no record.
    pub fn gap(mut self, offsets: i64) -> Self {
        self.next += offsets;
        self
    }

    /// Changes the last event.
    pub fn but(mut self, change: impl FnOnce(&mut Event)) -> Self {
        change(self.records.last_mut().and_then(|last| last.decodable.as_mut()).expect("an event precedes"));
        self
    }

    pub fn filtered(self) -> Self {
        self.but(|event| event.filter = false)
    }

    pub fn answers(self, answers: &[Answer]) -> Self {
        self.but(|event| event.rules = answers.to_vec())
    }

    pub fn group(self, name: Option<&str>) -> Self {
        self.but(|event| event.group = vec![name.map(str::to_owned)])
    }

    pub fn value(self, value: Option<i128>) -> Self {
        self.but(|event| event.values = vec![value])
    }

    /// Sets the last record's Kafka timestamp.
    pub fn logged(mut self, log_time: i64) -> Self {
        self.records.last_mut().expect("a record precedes").log_time = log_time;
        self
    }

    pub fn read(&self) -> PartitionOutcome {
        self.read_as(&plain())
    }

    pub fn read_as(&self, params: &Params) -> PartitionOutcome {
        run(&self.records, params, None)
    }

    /// The verdicts alone.
    pub fn verdicts(&self) -> Vec<Verdict> {
        verdicts(&self.read())
    }

    fn push(mut self, log_time: i64, decodable: Option<Event>) -> Self {
        self.records.push(Record { offset: self.next, log_time, decodable });
        self.next += 1;
        self
    }
}

pub(super) fn verdicts(outcome: &PartitionOutcome) -> Vec<Verdict> {
    outcome.verdicts.iter().map(|(_, verdict)| *verdict).collect()
}

/// The window of size 10 that starts here.
pub(super) fn window(start: i64) -> Window {
    Window { start, end: start + 10 }
}

/// `(position, sealed_until, starts of the windows closed)` of each seal.
pub(super) fn seals(outcome: &PartitionOutcome) -> Vec<(i64, i64, Vec<i64>)> {
    let starts = |windows: &[Window]| windows.iter().map(|window| window.start).collect();
    outcome.seals.iter().map(|seal| (seal.position, seal.sealed_until, starts(&seal.closed))).collect()
}

/// The number of counted records in a closed window.
pub(super) fn counted(outcome: &PartitionOutcome, start: i64) -> Option<u64> {
    Some(outcome.partials.get(&window(start))?.values().map(|state| state.records).sum())
}
