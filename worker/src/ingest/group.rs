//! The group task: turns what Kafka says about partitions into commands for the lanes, and ends a bounded run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::drain::{Drain, Step};
use super::lane::{Command, LaneTask};
use super::{IngestError, Shared};
use crate::agree::Disagreement;
use crate::source::{Consumer, Link, SourceError, SourceEvent};

/// How long one turn waits for the group.
const TURN: Duration = Duration::from_millis(50);

/// How often the ends of the logs are asked for, which is how lag is known.
const ASK_ENDS: Duration = Duration::from_secs(2);

/// The group's thread, which owns the lanes.
pub(crate) struct GroupTask {
    shared: Arc<Shared>,
    consumer: Arc<Consumer>,
    events: Receiver<SourceEvent>,
    lanes: Vec<LaneHandle>,
    /// Set when every partition of a bounded run is drained and committed.
    drained: Arc<AtomicBool>,
    drain: Option<Drain>,
    /// How many partitions the topic has, other than the pipeline has.
    disagreement: Option<Disagreement>,
}

struct LaneHandle {
    commands: Sender<Command>,
    thread: JoinHandle<Result<(), IngestError>>,
}

impl GroupTask {
    /// Starts the lanes.
    pub(crate) fn start(
        shared: Arc<Shared>,
        consumer: Arc<Consumer>,
        events: Receiver<SourceEvent>,
        drained: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        let lanes = (0..shared.settings.lanes).map(|number| {
            let (commands, receiver) = unbounded();
            let task = LaneTask::new(shared.clone(), receiver);
            let thread = Builder::new().name(format!("lane-{number}")).spawn(move || task.run())?;
            Ok(LaneHandle { commands, thread })
        });
        let lanes = lanes.collect::<std::io::Result<Vec<_>>>()?;
        let drain = shared.settings.ends.clone().map(Drain::new);
        Ok(Self { shared, consumer, events, lanes, drained, drain, disagreement: None })
    }

    /// Serves the group until the worker is to stop, then lets the lanes cut and leaves.
    pub(crate) fn run(mut self) -> Result<(), IngestError> {
        self.serve();
        self.shared.stop.request();
        let ended = self.join_lanes();
        if self.shared.stop.is_for_good() {
            self.consumer.depart_when_leaving();
        }
        // Nobody answers revocations any more, and nobody needs to: the lanes have let go of everything.
        drop(self.events);
        match self.disagreement.filter(|_| self.drain.is_some()) {
            Some(disagreement) => Err(disagreement.into()),
            None => ended,
        }
    }

    fn serve(&mut self) {
        let (mut looked, mut asked) = (Instant::now(), None::<Instant>);
        while !self.shared.stop.is_requested() {
            match self.events.recv_timeout(TURN) {
                Ok(event) => self.obey(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.lanes.iter().any(|lane| lane.thread.is_finished()) {
                return;
            }
            // A question that is not answered would only hold up what the group has to say.
            if !self.consumer.is_reachable() {
                continue;
            }
            if looked.elapsed() >= TURN && !self.drained.load(Ordering::Acquire) {
                self.look_at_drain();
                looked = Instant::now();
            }
            if asked.is_none_or(|asked| asked.elapsed() >= ASK_ENDS) {
                self.ask_partitions();
                // A bounded run would wait for ever.
                if self.disagreement.is_some() && self.drain.is_some() {
                    return;
                }
                self.ask_ends();
                asked = Some(Instant::now());
            }
        }
    }

    fn obey(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Assigned(partitions) => {
                self.shared.status.recovered("topic");
                for partition in partitions {
                    self.tell(partition, Command::Take(partition));
                }
            }
            SourceEvent::Revoked { partitions, done, .. } => {
                let done = Arc::new(done);
                self.tell_all(|| Command::Release(partitions.clone(), done.clone()));
            }
            SourceEvent::Link(Link::Up | Link::Connecting) => self.shared.status.recovered("broker"),
            SourceEvent::Link(Link::Unreachable { message, .. }) => {
                let message = format!("cannot reach the broker at '{}': {message}", self.shared.plan.kafka.bootstrap);
                self.shared.status.trouble("broker", "BrokerUnreachable", message);
            }
            SourceEvent::Link(Link::Refused { message, .. }) => {
                let message = format!("the broker at '{}' refuses: {message}", self.shared.plan.kafka.bootstrap);
                self.shared.status.trouble("broker", "BrokerRefuses", message);
            }
            SourceEvent::TopicMissing(topic) => {
                let message = SourceError::FindTopic { topic }.to_string();
                self.shared.status.trouble("topic", "TopicMissing", message);
            }
            SourceEvent::Fatal(message) => {
                self.shared.status.trouble("group", "GroupFatal", message);
                self.shared.stop.request();
            }
        }
    }

    /// Tells a topic with another number of partitions than the pipeline has. More of them are what the operator is about to let join;
    /// each of them is told of where it is refused.
    fn ask_partitions(&mut self) {
        let Ok(found) = self.consumer.partition_count(ASK_ENDS) else { return };
        let known = self.shared.topology.partitions() as u32;
        self.disagreement = Disagreement::of_source(&self.shared.plan, found, known);
        match &self.disagreement {
            Some(disagreement) if found < known => {
                self.shared.status.trouble("partitions", "TopicDrift", disagreement.to_string());
            }
            _ => self.shared.status.recovered("partitions"),
        }
    }

    /// An end that could not be had stays as it was: unknown is not zero.
    fn ask_ends(&self) {
        for partition in self.shared.status.owned() {
            match self.consumer.watermarks(partition, ASK_ENDS) {
                Ok(log) => self.shared.status.set_end(partition, log.high),
                Err(_) => return,
            }
        }
    }

    /// A partition always goes to the same lane.
    fn tell(&self, partition: i32, command: Command) {
        let lane = partition.unsigned_abs() as usize % self.lanes.len();
        // A lane that has ended is noticed in the next turn.
        let _ = self.lanes[lane].commands.send(command);
    }

    fn tell_all(&self, command: impl Fn() -> Command) {
        for lane in &self.lanes {
            let _ = lane.commands.send(command());
        }
    }

    fn look_at_drain(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        match drain.look(&self.shared) {
            Step::Wait => {}
            Step::Order(target) => self.tell_all(|| Command::Drain(target)),
            Step::Done => self.drained.store(true, Ordering::Release),
        }
    }

    fn join_lanes(&mut self) -> Result<(), IngestError> {
        let mut result = Ok(());
        for lane in self.lanes.drain(..) {
            drop(lane.commands);
            match lane.thread.join() {
                Ok(ended) => result = result.and(ended),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result
    }
}
