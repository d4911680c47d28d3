//! The order in which a manifest is judged: the manifest's own, everything, before anything is bound to columns.

use schemas::spec::{API_VERSION, AnalyticsPipeline, KIND};

use crate::avro::Fields;
use crate::connect::Topics;
use crate::groups::{self, TypedGroup};
use crate::measures::{self, TypedMeasure};
use crate::names::is_kebab;
use crate::rules::{self, Own, TypedRule};
use crate::sql::{self, Lowered, Text};
use crate::times::Times;
use crate::timing::Watermark;
use crate::{
    BatchPlan, KafkaPlan, Path, Plan, Problem, Problems, ReportsPlan, SinkPlan, ThresholdsPlan, WindowPlan,
    WorkersPlan, bounds, codes, connect, reports, source, store, thresholds, times, timing,
};

impl Plan {
    /// Compiles a manifest.
    ///
    /// # Errors
    /// Every problem of the manifest at once, in the order of the manifest's fields; plain bounds that are broken come last.
    pub fn compile(pipeline: &AnalyticsPipeline) -> Result<Self, Problems> {
        Judged::of(pipeline)?.bind(pipeline).map_err(|problem| Problems(vec![problem]))
    }
}

/// A manifest without problems, expressions typed over all fields of the schema.
pub(crate) struct Judged {
    pub(crate) kafka: KafkaPlan,
    pub(crate) registry_url: String,
    pub(crate) topics: Topics,
    pub(crate) fields: Fields,
    pub(crate) times: Times,
    pub(crate) earliest_ms: i64,
    pub(crate) watermark: Watermark,
    pub(crate) filter: Option<Lowered>,
    pub(crate) batch: BatchPlan,
    pub(crate) reports: ReportsPlan,
    pub(crate) thresholds: ThresholdsPlan,
    pub(crate) rules: Vec<TypedRule>,
    pub(crate) window: WindowPlan,
    pub(crate) groups: Vec<TypedGroup>,
    pub(crate) measures: Vec<TypedMeasure>,
    pub(crate) sink: SinkPlan,
    pub(crate) workers: WorkersPlan,
    pub(crate) close_when_idle_for_ms: Option<i64>,
}

impl Judged {
    fn of(pipeline: &AnalyticsPipeline) -> Result<Self, Problems> {
        let spec = &pipeline.spec;
        let mut problems = Vec::new();
        let found = &mut problems;
        identity(pipeline, found);
        let kafka = connect::kafka(&spec.kafka, found);
        let registry_url = connect::registry(spec, found);
        let topics = connect::topics(&pipeline.metadata.name, spec, found);
        let fields = source::fields(&spec.source.schema, found);
        let known = fields.as_ref();
        source::check(spec, known, found);
        let times = times::compile(&spec.source, known, found);
        let earliest_ms = times::earliest(&spec.source, found);
        let watermark = timing::watermark(spec, found);
        let filter_text = spec.filter.as_ref().map(|sql| Text::new(sql, Path::of("spec.filter"), "filter"));
        let filter = filter_text.and_then(|source| sql::condition(&source, known, found));
        let batch = timing::batch(spec, known, found);
        let source = &spec.source;
        let own = Own { id: &source.event_id, event: &source.event_time, ingest: source.ingest_time.as_deref(), times };
        let rules = rules::compile(&spec.quality, known, own, found);
        let reports = reports::compile(&spec.quality, found);
        let thresholds = thresholds::compile(&spec.quality, found);
        let window = timing::window(spec, found);
        let groups = groups::compile(spec, known, found);
        let measures = measures::compile(spec, known, found);
        let sink = store::sink(spec, found);
        connect::partials(spec, found);
        let workers = store::workers(spec, found);
        revision(spec.revision, found);
        let close_when_idle_for_ms = timing::close_when_idle_for(spec, found);
        bounds::check(spec, found);
        match (fields, sink) {
            (Some(fields), Some(sink)) if problems.is_empty() => Ok(Self {
                kafka,
                registry_url,
                topics,
                fields,
                times,
                earliest_ms,
                watermark,
                filter,
                batch,
                reports,
                thresholds,
                rules,
                window,
                groups,
                measures,
                sink,
                workers,
                close_when_idle_for_ms,
            }),
            _ => Err(Problems(problems)),
        }
    }
}

fn identity(pipeline: &AnalyticsPipeline, problems: &mut Vec<Problem>) {
    let given = [("apiVersion", &pipeline.api_version, API_VERSION), ("kind", &pipeline.kind, KIND)];
    for (key, value, allowed) in given {
        if value != allowed {
            let message = format!("the {key} is '{value}'");
            problems
                .push(Problem::new(codes::IDENTITY, Path::of(key), message).help(format!("allowed is '{allowed}'")));
        }
    }
    let name = &pipeline.metadata.name;
    if !is_kebab(name, 50) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("'{name}' is not a pipeline name");
        problems.push(
            Problem::new(codes::NAME_SYNTAX, Path::of("metadata.name"), message)
                .help("allowed are lower case letters, digits and '-', starting with a letter, at most 50"),
        );
    }
}

fn revision(revision: i64, problems: &mut Vec<Problem>) {
    if revision < 1 {
        let message = format!("the revision is {revision}");
        problems.push(Problem::new(codes::RANGE, Path::of("spec.revision"), message).help("allowed is 1 or more"));
    }
}
