//! A lane that reads a log, and all that it says.

use std::sync::Arc;

use stream_core::{Decreed, Emission, Emissions, Error, EventTime, Lane, Offset, Program, Progress, Refused};

use super::{Cutting, Log};
use crate::model::Decree;

/// Everything that a lane gave out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Partials, seals and reports.
    pub items: Vec<Emission>,
    /// Dead letters.
    pub refused: Vec<Refused>,
}

impl Said {
    /// Adds what one step gave out.
    pub fn add(&mut self, emissions: Emissions) {
        self.items.extend(emissions.items);
        self.refused.extend(emissions.refused);
    }
}

/// What one step of an undisturbed lane led to.
pub struct Step<'a> {
    /// The lane after it.
    pub lane: &'a Lane,
    /// How many decrees have been made so far.
    pub decrees: usize,
    /// What came out.
    pub emissions: Emissions,
}

/// A lane at work on a log.
pub struct Drive<'a> {
    log: &'a Log,
    /// The lane.
    pub lane: Lane,
}

impl<'a> Drive<'a> {
    /// Takes the partition up where `progress` left it.
    pub fn resume(log: &'a Log, program: &Arc<Program>, progress: &Progress) -> Result<Self, Error> {
        Ok(Self { log, lane: Lane::resume(program.clone(), progress)? })
    }

    /// Takes the partition up at its beginning.
    pub fn start(log: &'a Log, program: &Arc<Program>) -> Result<Self, Error> {
        Self::resume(log, program, &Progress::start(Offset(log.start())))
    }

    /// Goes on with a lane that stands somewhere in the log.
    pub fn with(log: &'a Log, lane: Lane) -> Self {
        Self { log, lane }
    }

    /// Feeds the next fetch, which does not go past `until`.
    pub fn step(&mut self, until: i64, cutting: &mut Cutting) -> Result<Emissions, Error> {
        let range = cutting.fetch(self.log, self.lane.position().0, until);
        self.log.feed(&mut self.lane, range)
    }

    /// Reads everything with `decrees` (ascending) in between; `each` is told of every step.
    pub fn run(
        &mut self,
        decrees: &[Decree],
        cutting: &mut Cutting,
        mut each: impl FnMut(Step<'_>),
    ) -> Result<(), Error> {
        for (made, decree) in decrees.iter().enumerate() {
            self.read_to(decree.at, cutting, |lane, emissions| each(Step { lane, decrees: made, emissions }))?;
            let Decreed { emissions, .. } = self.lane.decree(EventTime(decree.to))?;
            each(Step { lane: &self.lane, decrees: made + 1, emissions });
        }
        let decrees = decrees.len();
        self.read_to(self.log.end(), cutting, |lane, emissions| each(Step { lane, decrees, emissions }))
    }

    fn read_to(
        &mut self,
        until: i64,
        cutting: &mut Cutting,
        mut each: impl FnMut(&Lane, Emissions),
    ) -> Result<(), Error> {
        while self.lane.position().0 < until {
            let emissions = self.step(until, cutting)?;
            each(&self.lane, emissions);
        }
        Ok(())
    }
}

/// What a lane says that is never disturbed.
pub fn undisturbed(log: &Log, program: &Arc<Program>, decrees: &[Decree], mut cutting: Cutting) -> Result<Said, Error> {
    let mut said = Said::default();
    Drive::start(log, program)?.run(decrees, &mut cutting, |step| said.add(step.emissions))?;
    Ok(said)
}
