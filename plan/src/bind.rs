//! From a judged manifest to a plan: the schema is cut down to the fields that are used, and every expression is bound to
//! the columns that will be decoded.

use std::collections::BTreeSet;

use arrow_schema::SchemaRef;
use schemas::spec::{AnalyticsPipeline, AnalyticsPipelineSpec, DeadLetter};

use crate::compile::Judged;
use crate::rules::TypedCheck;
use crate::sql::Lowered;
use crate::{
    BatchPlan, ComputedPlan, GroupPlan, MeasurePlan, Path, Plan, Problem, RuleCheck, RulePlan, SourcePlan, codes,
};

impl Judged {
    /// Binds everything to the used columns.
    pub(crate) fn bind(self, pipeline: &AnalyticsPipeline) -> Result<Plan, Problem> {
        let spec = &pipeline.spec;
        let columns = Columns::project(&self, spec)?;
        let filter_path = Path::of("spec.filter");
        Ok(Plan {
            name: pipeline.metadata.name.clone(),
            group: pipeline.metadata.name.clone(),
            revision: spec.revision,
            suspend: spec.suspend,
            source: source(&self, spec),
            dead_letter_topic: self.topics.dead_letter.name.clone(),
            dead_letter_max_share: spec.dead_letter.as_ref().map_or(DeadLetter::MAX_SHARE, |letters| letters.max_share),
            partials_topic: self.topics.partials.name.clone(),
            partials_partitions: self.topics.partials.partitions,
            topics: vec![self.topics.source.clone(), self.topics.dead_letter.clone(), self.topics.partials.clone()],
            full_schema: self.fields.text().to_owned(),
            event_id: columns.index(&spec.source.event_id),
            event_time: (
                columns.index(&spec.source.event_time),
                self.times.event.expect("a manifest without problems has an event time"),
            ),
            ingest_time: spec.source.ingest_time.as_ref().map(|name| columns.index(name)).zip(self.times.ingest),
            earliest_ms: self.earliest_ms,
            filter: self.filter.as_ref().map(|filter| columns.bind(filter, &filter_path)).transpose()?,
            rules: rules(&self, &columns)?,
            groups: groups(&self, &columns)?,
            measures: measures(&self, &columns)?,
            batch: BatchPlan { redacted: columns.known(&spec.quality.samples.redact), ..self.batch.clone() },
            reader_schema: columns.reader_schema,
            arrow_schema: columns.arrow,
            kafka: self.kafka,
            registry_url: self.registry_url,
            registry_login: None,
            delay_ms: self.watermark.delay_ms,
            idle_after_ms: self.watermark.idle_after_ms,
            max_future_skew_ms: self.watermark.max_future_skew_ms,
            close_when_idle_for_ms: self.close_when_idle_for_ms,
            window: self.window,
            reports: self.reports,
            thresholds: self.thresholds,
            late: spec.late.policy,
            sink: self.sink,
            workers: self.workers,
        })
    }
}

fn source(judged: &Judged, spec: &AnalyticsPipelineSpec) -> SourcePlan {
    SourcePlan {
        topic: judged.topics.source.name.clone(),
        partitions: judged.topics.source.partitions,
        subject: spec.source.schema.subject.clone(),
        compatibility: spec.source.schema.compatibility,
        register: spec.source.schema.register,
        isolation: spec.source.isolation,
        on_data_loss: spec.source.on_data_loss,
        null_values: spec.source.null_values,
    }
}

fn rules(judged: &Judged, columns: &Columns) -> Result<Vec<RulePlan>, Problem> {
    let bind = |rule: &crate::rules::TypedRule| {
        Ok(RulePlan {
            name: rule.name.clone(),
            on_violation: rule.on_violation,
            field: rule.field.clone(),
            columns: columns.indices(&rule.columns),
            nulls_alone: rule.nulls_alone,
            expected: rule.expected.clone(),
            check: match &rule.check {
                TypedCheck::Rows(check) => RuleCheck::Rows(columns.bind(check, &rule.path)?),
                TypedCheck::Latency(most) => RuleCheck::Latency(*most),
                TypedCheck::Unique => RuleCheck::Unique,
                TypedCheck::Volume(volume) => RuleCheck::Volume(*volume),
            },
            fingerprint: rule.fingerprint.clone(),
            threshold: rule.threshold,
        })
    };
    judged.rules.iter().map(bind).collect()
}

fn groups(judged: &Judged, columns: &Columns) -> Result<Vec<GroupPlan>, Problem> {
    let bind = |group: &crate::groups::TypedGroup| {
        Ok(GroupPlan {
            name: group.name.clone(),
            column: columns.index(&group.name),
            expr: columns.bind(&group.value, &group.path)?,
            data_type: group.value.data_type.clone(),
        })
    };
    judged.groups.iter().map(bind).collect()
}

fn measures(judged: &Judged, columns: &Columns) -> Result<Vec<MeasurePlan>, Problem> {
    let bind = |measure: &crate::measures::TypedMeasure| {
        let part = |of: &Option<Lowered>| of.as_ref().map(|expr| columns.bind(expr, &measure.path)).transpose();
        Ok(MeasurePlan {
            name: measure.name.clone(),
            function: measure.function,
            argument: part(&measure.argument)?,
            predicate: part(&measure.predicate)?,
            argument_type: measure.argument.as_ref().map(|argument| argument.data_type.clone()),
            output_type: measure.output_type.clone(),
        })
    };
    judged.measures.iter().map(bind).collect()
}

/// The columns that will be decoded.
struct Columns {
    reader_schema: String,
    arrow: SchemaRef,
}

impl Columns {
    fn project(judged: &Judged, spec: &AnalyticsPipelineSpec) -> Result<Self, Problem> {
        let refuse = |reason: String| {
            let message = format!("the Avro schema cannot be decoded: {reason}");
            Problem::new(codes::SCHEMA_UNSUPPORTED, Path::of("spec.source.schema.avro"), message)
        };
        let (reader_schema, arrow) = judged.fields.project(&used(judged, spec)).map_err(refuse)?;
        Ok(Self { reader_schema, arrow })
    }

    fn index(&self, field: &str) -> usize {
        self.arrow.index_of(field).expect("used fields were found in the schema and kept by the projection")
    }

    /// Those of the fields that are decoded, ascending; others are never shown anyway.
    fn known(&self, fields: &[String]) -> Vec<usize> {
        let mut indices: Vec<usize> = fields.iter().filter_map(|field| self.arrow.index_of(field).ok()).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    fn indices(&self, fields: &BTreeSet<String>) -> Vec<usize> {
        let mut indices: Vec<usize> = fields.iter().map(|field| self.index(field)).collect();
        indices.sort_unstable();
        indices
    }

    /// The physical expression. What it was judged with holds for these columns too, so a problem here is a bug.
    fn bind(&self, lowered: &Lowered, path: &Path) -> Result<ComputedPlan, Problem> {
        let missing = || Problem::new(codes::SQL_TYPE, path.clone(), "a field that it reads is not decoded");
        let value = lowered.physical(&self.arrow).ok_or_else(missing)?;
        let is_float = |column: &usize| self.arrow.field(*column).data_type().is_floating();
        let columns = self.indices(&lowered.columns);
        let floats = columns.iter().copied().filter(is_float).collect();
        Ok(ComputedPlan { no_value: value.no_value(), value, columns, floats })
    }
}

/// Names of all fields that anything reads.
fn used(judged: &Judged, spec: &AnalyticsPipelineSpec) -> BTreeSet<String> {
    let source = &spec.source;
    let own = [Some(&source.event_id), Some(&source.event_time), source.ingest_time.as_ref()];
    let rules = judged.rules.iter().filter_map(|rule| rule.check.rows());
    let groups = judged.groups.iter().map(|group| &group.value);
    let measures = judged.measures.iter().flat_map(|m| m.argument.iter().chain(&m.predicate));
    let expressions = judged.filter.iter().chain(rules).chain(groups).chain(measures);
    own.into_iter().flatten().chain(expressions.flat_map(|lowered| &lowered.columns)).cloned().collect()
}
