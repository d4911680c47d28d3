//! What makes a partition stand still until a person decides: a record that breaks a rule with `onViolation: Stop`, or a batch
//! of which too much has gone to the dead letters. Other partitions go on.
//!
//! Both are functions of the log and the manifest: a restart alone comes to the same standstill, a changed rule does not.

use stream_core::{Cause, Halt, Program};

use super::Shared;

/// Why it stands: a stable word and the story.
pub(super) struct Standstill {
    reason: &'static str,
    message: String,
}

/// Why partition `partition` stands.
pub(super) fn of(shared: &Shared, partition: i32, program: &Program, halt: Halt) -> Standstill {
    match halt.cause {
        Cause::Rule(rule) => stopped(program, partition, halt, rule),
        Cause::Runaway { letters, records } => runaway(shared, partition, halt, letters, records),
    }
}

/// Tells it, or that it is over.
pub(super) fn tell(shared: &Shared, partition: i32, standstill: Option<&Standstill>) {
    let task = format!("standstill of partition {partition}");
    match standstill {
        Some(standstill) => shared.status.trouble(&task, standstill.reason, standstill.message.clone()),
        None => shared.status.recovered(&task),
    }
}

fn stopped(program: &Program, partition: i32, halt: Halt, rule: usize) -> Standstill {
    let rule = &program.rules[rule];
    let message = format!(
        "partition {partition} stands before offset {}: the record breaks rule '{}', expected {}; mend the rule, or give it another onViolation",
        halt.offset, rule.name, rule.expected
    );
    Standstill { reason: "StoppedByRule", message }
}

fn runaway(shared: &Shared, partition: i32, halt: Halt, letters: u64, records: u64) -> Standstill {
    let most = shared.plan.dead_letter_max_share;
    let message = format!(
        "partition {partition} pauses before offset {}: {letters} of the {records} records of its batch are dead letters, allowed are {most} \
         per million; mend the producer, the schema or the rule, or raise deadLetter.maxShare",
        halt.offset
    );
    Standstill { reason: "DeadLetterRunaway", message }
}
