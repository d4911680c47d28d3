//! What the lanes gave out, on its way: to the partials topic with the revision of its meaning, to the dead letters.

use schemas::wire::{Content, Record as WireRecord, Sender};
use stream_core::{Emission, Emissions, EventTime, Program, Said, Seal};

use super::Owned;
use crate::ingest::{IngestError, Shared};
use crate::meaning::Previous;
use crate::wire::{partial_content, report_body, seal_body};

impl Owned {
    /// Sends what the lanes gave out; it is acknowledged only after a flush.
    pub(super) fn emit(&self, shared: &Shared, said: &Said) -> Result<(), IngestError> {
        self.emit_of(shared, &said.before, true)?;
        self.emit_of(shared, &said.now, false)
    }

    fn emit_of(&self, shared: &Shared, emissions: &Emissions, is_before: bool) -> Result<(), IngestError> {
        for refused in &emissions.refused {
            self.reader.dead_letter(program(shared, is_before), refused)?;
        }
        let plan = previous(shared, is_before).map_or(&shared.plan, |previous| &previous.plan);
        for emission in &emissions.items {
            match emission {
                Emission::Partial(partial) => {
                    self.send(shared, partial.output, plan.revision, partial_content(partial)?)?;
                }
                Emission::Seal(seal) => {
                    let seal = Seal { after: follows(shared, seal, is_before), ..seal.clone() };
                    for output in 0..plan.partials_partitions {
                        self.send(shared, output, plan.revision, Content::Seal(seal_body(&seal, output)))?;
                    }
                }
                Emission::Report(report) => {
                    let output = self.partition as u32 % plan.partials_partitions;
                    self.send(
                        shared,
                        output,
                        plan.revision,
                        Content::Report(report_body(report, plan, program(shared, is_before))),
                    )?;
                }
            }
        }
        Ok(())
    }

    pub(in crate::ingest) fn send(
        &self,
        shared: &Shared,
        output: u32,
        revision: i64,
        content: Content,
    ) -> Result<(), IngestError> {
        let (partition, incarnation) = (self.partition, self.committed.progress.incarnation);
        send(shared, output, Sender { partition, incarnation, revision }, content)
    }
}

/// Tells publish that lower incarnations are void.
pub(in crate::ingest) fn fence(shared: &Shared, partition: i32, incarnation: u64) -> Result<(), IngestError> {
    let revision = shared.plan.revision;
    let before = shared.previous.as_ref().map_or(0, |previous| previous.plan.partials_partitions);
    let mut outputs = 0..shared.plan.partials_partitions.max(before);
    outputs.try_for_each(|output| send(shared, output, Sender { partition, incarnation, revision }, Content::Fence))
}

fn send(shared: &Shared, output: u32, from: Sender, content: Content) -> Result<(), IngestError> {
    shared.broker.send(output, &WireRecord { from, content })
}

/// The meaning before, if that is the one that is asked for.
fn previous(shared: &Shared, is_before: bool) -> Option<&Previous> {
    shared.previous.as_deref().filter(|_| is_before)
}

/// The seal that this one follows on. A meaning that began has nothing to tell of the windows before.
fn follows(shared: &Shared, seal: &Seal, is_before: bool) -> EventTime {
    let begun = shared.previous.as_ref().filter(|_| !is_before).map(|previous| previous.change.until);
    if begun.is_some_and(|begun| seal.after <= begun) { EventTime::NEVER } else { seal.after }
}

/// The program of the meaning before, or of the one that the pipeline has.
pub(super) fn program(shared: &Shared, is_before: bool) -> &Program {
    previous(shared, is_before).map_or(&shared.program, |previous| &previous.change.before)
}
