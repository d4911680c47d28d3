//! A worker process: the production lane, drain and publisher, with the simulated world around them.

mod broker;
mod publish;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use worker::IngestError;
use worker::ingest::{Drain, LaneWork, Settings, Shared};
use worker::publish::{Publisher, Publishing};
use worker::quality::Quality;
use worker::status::Status;

use super::domain::Domain;
use super::mutant;
use super::run::Sim;
use super::world::Pid;

/// A process of some worker.
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// What its lane shares.
    pub shared: Shared,
    /// Its lane; locked while a turn is on.
    pub lane: Mutex<LaneWork>,
    /// Partitions that the group gave it and that it has not heard of.
    pub given: Mutex<Vec<i32>>,
    /// The drain of a bounded run.
    pub drain: Mutex<Option<Drain>>,
    /// Its publisher, if it has one; locked while it works.
    pub publisher: Option<Mutex<PublishTask>>,
}

/// A publisher as a thread has it.
pub struct PublishTask {
    /// What it works with.
    pub publisher: Publisher,
    /// What it has taken up, and where it reads each output.
    pub taken_up: Option<(Publishing, BTreeMap<i32, usize>)>,
}

impl Process {
    /// A process of worker `slot`; the first worker publishes.
    pub fn new(sim: &Arc<Sim>, pid: Pid, slot: usize, stop: &worker::stop::Stop) -> Self {
        let ends = sim.world().bounds.clone();
        let topology = sim.world().topology();
        let (domain, previous) = sim.world().meaning(slot);
        let previous = previous.map(|previous| mutant::previous(sim.mutant, previous));
        let before = previous.as_ref().map(|_| sim.domain.clone());
        let outside = Outside { sim: Arc::downgrade(sim), pid, domain: domain.clone(), before };
        let status = Arc::new(Status::new("sim", domain.plan.revision, &format!("sim-{slot}")));
        let quality = Arc::new(Quality::new(domain.plan.clone(), status.clone()));
        let publisher = || Publisher {
            plan: domain.plan.clone(),
            program: domain.program.clone(),
            previous: previous.clone(),
            topology: topology.clone(),
            files: Box::new(outside.clone()),
            commits: Box::new(outside.clone()),
            status: status.clone(),
            quality: quality.clone(),
            stop: stop.clone(),
        };
        let publisher = (slot == 0).then(|| Mutex::new(PublishTask { publisher: publisher(), taken_up: None }));
        let shared = Shared {
            plan: domain.plan.clone(),
            program: domain.program.clone(),
            previous: previous.clone(),
            topology: topology.clone(),
            broker: Box::new(outside.clone()),
            volume: Some(Arc::new(outside.clone())),
            status: status.clone(),
            quality: quality.clone(),
            stop: stop.clone(),
            settings: Settings {
                cut_interval: Duration::from_millis(sim.cut),
                checkpoint_interval: Duration::from_millis(sim.cut),
                lanes: 1,
                ends: ends.clone(),
                leaves_open: false,
            },
        };
        Self {
            pid,
            shared,
            lane: Mutex::default(),
            given: Mutex::default(),
            drain: Mutex::new(ends.map(Drain::new)),
            publisher,
        }
    }
}

/// The world as one process meets it.
#[derive(Clone)]
pub(super) struct Outside {
    sim: Weak<Sim>,
    pub(super) pid: Pid,
    /// What the process reads records as.
    domain: Arc<Domain>,
    /// The same in the meaning before, if it was told of one.
    before: Option<Arc<Domain>>,
}

/// The process is no more: whatever it was doing ends here.
pub struct Gone;

impl From<Gone> for IngestError {
    fn from(_: Gone) -> Self {
        Self::Stopped
    }
}

fn timed_out() -> KafkaError {
    KafkaError::ConsumerCommit(Code::OperationTimedOut)
}

impl Outside {
    pub(super) fn sim(&self) -> Arc<Sim> {
        self.sim.upgrade().expect("a process does not outlive its world")
    }
}
