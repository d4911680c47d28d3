//! What makes a partition stand still until a person decides: a record that breaks a rule with `onViolation: Stop`, or a batch
//! of which too much went to the dead letters. Other partitions go on.
//!
//! Both are functions of the log and the manifest: a restart alone comes to the same standstill, a changed rule does not.

use stream_core::{Halt, Program, Verdict, Verdicts};

use super::Shared;

/// Why it stands: a stable word and the story.
pub(super) struct Standstill {
    reason: &'static str,
    message: String,
}

/// Why partition `partition` stands, if it does.
pub(super) fn of(
    shared: &Shared,
    partition: i32,
    halt: Option<(&Program, Halt)>,
    batch: Verdicts,
) -> Option<Standstill> {
    halt.map(|(program, halt)| stopped(program, partition, halt)).or_else(|| runaway(shared, partition, batch))
}

/// Tells it, or that it is over.
pub(super) fn tell(shared: &Shared, partition: i32, standstill: Option<&Standstill>) {
    let task = format!("standstill of partition {partition}");
    match standstill {
        Some(standstill) => shared.status.trouble(&task, standstill.reason, standstill.message.clone()),
        None => shared.status.recovered(&task),
    }
}

fn stopped(program: &Program, partition: i32, halt: Halt) -> Standstill {
    let rule = &program.rules[halt.rule];
    let message = format!(
        "partition {partition} stands before offset {}: the record breaks rule '{}', expected {}; mend the rule, or give it another onViolation",
        halt.offset, rule.name, rule.expected
    );
    Standstill { reason: "StoppedByRule", message }
}

fn runaway(shared: &Shared, partition: i32, batch: Verdicts) -> Option<Standstill> {
    let plan = &shared.plan;
    let late = if shared.program.late_to_dead_letter { batch.of(Verdict::Late) } else { 0 };
    let letters = batch.of(Verdict::Undecodable) + batch.of(Verdict::Invalid) + late;
    let (consumed, most) = (batch.consumed(), plan.dead_letter_max_share);
    let too_many = u128::from(letters) * 1_000_000 > u128::from(most) * u128::from(consumed);
    if consumed < plan.thresholds.min_records || !too_many {
        return None;
    }
    let message = format!(
        "partition {partition} pauses: {letters} of the {consumed} records of its batch are dead letters, allowed are {most} per million; \
         mend the producer, the schema or the rule, or raise deadLetter.maxShare",
    );
    Some(Standstill { reason: "DeadLetterRunaway", message })
}
