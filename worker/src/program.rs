//! From the plan, which speaks of manifests, to the core's program, which speaks of columns.

use arrow::datatypes::DataType;
use plan::{Aggregate, ComputedPlan, LatePolicy, NullValues, OnViolation, Plan, RuleCheck, TimePlan};
use stream_core::{
    BatchCut, Check, Computed, Consequence, EventTime, Function, Group, Guard, Measure, Program, Rule, TimeBounds,
    TimeColumn, Volume, Windows, Written,
};

/// The program of `plan`.
pub fn program(plan: &Plan) -> Program {
    let windows = Windows { size: plan.window.size_ms, offset: plan.window.offset_ms };
    Program {
        event_id: plan.event_id,
        event_time: time(plan.event_time),
        ingest_time: plan.ingest_time.map(time),
        delay: plan.delay_ms,
        times: TimeBounds::new(EventTime(plan.earliest_ms), plan.max_future_skew_ms, &windows),
        windows,
        filter: plan.filter.as_ref().map(computed),
        rules: plan.rules.iter().map(rule).collect(),
        redacted: plan.batch.redacted.clone(),
        groups: plan.groups.iter().map(group).collect(),
        measures: plan.measures.iter().map(measure).collect(),
        batch: BatchCut {
            interval: plan.batch.interval_ms,
            max_records: i64::try_from(plan.batch.max_records).unwrap_or(i64::MAX),
            samples: plan.batch.samples_per_rule as usize,
        },
        outputs: plan.partials_partitions,
        late_to_dead_letter: plan.late == LatePolicy::DeadLetter,
        ignore_nulls: plan.source.null_values == NullValues::Ignore,
        guard: Some(Guard { most: plan.dead_letter_max_share, at_least: plan.thresholds.min_records.max(1) }),
    }
}

fn computed(ComputedPlan { value, no_value, columns, floats }: &ComputedPlan) -> Computed {
    let (columns, floats) = (columns.clone(), floats.clone());
    Computed { value: value.clone(), no_value: no_value.clone(), columns, floats }
}

fn time((column, written): (usize, TimePlan)) -> TimeColumn {
    let written = match written {
        TimePlan::Plain(unit) => Written::Plain(unit),
        TimePlan::Timestamp(unit) => Written::Timestamp(unit),
        TimePlan::Text => Written::Text,
    };
    TimeColumn { column, written }
}

fn rule(rule: &plan::RulePlan) -> Rule {
    Rule {
        name: rule.name.clone(),
        expected: rule.expected.clone(),
        check: match &rule.check {
            RuleCheck::Rows(check) => Check::Rows(computed(check)),
            RuleCheck::Latency(most) => Check::Latency(*most),
            RuleCheck::Unique => Check::Unique,
            RuleCheck::Volume(volume) => Check::Volume(Volume {
                least: volume.min_percent,
                most: volume.max_percent,
                batches: volume.batches as usize,
            }),
        },
        consequence: match rule.on_violation {
            OnViolation::DeadLetter => Consequence::Refuse,
            OnViolation::Report => Consequence::Report,
            OnViolation::Stop => Consequence::Stop,
        },
        columns: rule.columns.clone(),
        nulls_alone: rule.nulls_alone,
    }
}

fn group(group: &plan::GroupPlan) -> Group {
    Group { name: group.name.clone(), value: computed(&group.expr), data_type: group.data_type.clone() }
}

fn measure(measure: &plan::MeasurePlan) -> Measure {
    let function = match measure.function {
        Aggregate::CountAll | Aggregate::Count => Function::Count,
        Aggregate::Sum => Function::Sum,
        Aggregate::Min => Function::Min,
        Aggregate::Max => Function::Max,
        Aggregate::Avg => Function::Avg,
    };
    Measure {
        name: measure.name.clone(),
        function,
        argument: measure.argument.as_ref().map(computed),
        predicate: measure.predicate.as_ref().map(computed),
        input: measure.argument_type.clone().unwrap_or(DataType::Null),
        output: measure.output_type.clone(),
    }
}
