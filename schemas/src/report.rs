//! The worker's report: what `/v1/status` answers and what the operator folds into the resource's status.
//!
//! Times are milliseconds since the epoch, UTC; an absent time means that there is none yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One worker process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReport {
    /// The pipeline, which is also the consumer group.
    pub pipeline: String,
    /// The revision of the pipeline's meaning that it runs.
    pub revision: i64,
    /// The worker's name (its pod).
    pub worker: String,
    /// When the report was made.
    pub at: i64,
    /// The source partitions that it owns.
    pub partitions: Vec<PartitionReport>,
    /// The partitions of the partials topic that it publishes.
    pub outputs: Vec<OutputReport>,
    /// What hinders it now; empty when all is well.
    pub troubles: Vec<Trouble>,
    /// Whether the data is good enough, over all partitions; absent when this worker does not watch it, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityReport>,
}

/// One source partition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartitionReport {
    /// The partition.
    pub partition: i32,
    /// The next record to read.
    pub position: i64,
    /// The position that is committed.
    pub committed: i64,
    /// The end of the log when it was last seen; absent when it is not known.
    pub end: Option<i64>,
    /// Whether it is still being rebuilt, from its anchor or a checkpoint.
    pub replaying: bool,
    /// Where this worker began to read it, and whether that was at a checkpoint.
    #[serde(default)]
    pub began_at: i64,
    /// See there.
    #[serde(default)]
    pub from_checkpoint: bool,
    /// The position up to which it is being rebuilt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_until: Option<i64>,
    /// Whether nothing was left to be read, for as long as makes a partition idle.
    #[serde(default)]
    pub idle: bool,
    /// The last checkpoint that this worker took of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointReport>,
    /// The watermark.
    pub watermark: Option<i64>,
    /// The largest event time of a judged-valid record.
    pub latest: Option<i64>,
    /// Windows that end by then are closed here.
    pub sealed: Option<i64>,
    /// Open windows.
    pub windows: Vec<WindowReport>,
    /// Records judged since this worker took the partition up.
    pub ledger: Ledger,
    /// The record before which it stands still until a person decides; the troubles say why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_before: Option<i64>,
    /// Why records of the batch that is open went to the dead letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalReport>,
    /// What its log had lost when it was needed, the oldest first; the pipeline went on without (`source.onDataLoss: Continue`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossReport>,
}

/// Records that a partition's log had lost when they were needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LossReport {
    /// The first offset that was needed.
    pub from: i64,
    /// The first that was there.
    pub to: i64,
    /// How many of them had never been judged; the others had been, but what they left in open windows is gone.
    pub unread: u64,
    /// Windows that end by then are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_after: Option<i64>,
    /// Windows that start then or later are whole; absent when that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_until: Option<i64>,
}

/// Event time for which a loss, or an overflow, is told after the windows that it concerns, milliseconds: a day.
const LOSS_TOLD_FOR_MS: i64 = 86_400_000;

impl LossReport {
    /// Whether the loss is still to be told: the partition's watermark is less than a day behind the windows that it concerns.
    pub fn is_recent(&self, watermark: Option<i64>) -> bool {
        let behind = self.windows_until.zip(watermark);
        behind.is_none_or(|(until, watermark)| watermark < until + LOSS_TOLD_FOR_MS)
    }

    /// What partition `partition` has lost, for people; `time` says a time, of milliseconds since the epoch.
    pub fn words(&self, partition: i32, time: impl Fn(i64) -> String) -> String {
        let Self { from, to, unread, .. } = self;
        let from_when = self.windows_after.map_or_else(|| "the first".to_owned(), &time);
        let to_when = self.windows_until.map_or_else(|| "now".to_owned(), &time);
        format!(
            "the log of partition {partition} had lost offsets {from} to {to} ({unread} never read); windows from {from_when} to \
             {to_when} may lack records and are marked"
        )
    }
}

/// A checkpoint on the worker's volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointReport {
    /// The position it was taken at.
    pub position: i64,
    /// When.
    pub at: i64,
    /// Bytes that it added to the volume.
    pub written: u64,
    /// Bytes that belong to it.
    pub bytes: u64,
}

/// One open window of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowReport {
    /// Its start.
    pub start: i64,
    /// Ids remembered in it.
    pub ids: u64,
    /// Bytes held for them.
    pub bytes: u64,
}

/// How many records got each verdict; `consumed` is their sum (law L1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// All records.
    pub consumed: u64,
    /// Folded into a window.
    pub counted: u64,
    /// Already seen in an open window.
    pub duplicate: u64,
    /// Their window had ended on the watermark.
    pub late: u64,
    /// The pipeline's filter is not true.
    pub filtered: u64,
    /// Break a rule, or lack a usable id or event time.
    pub invalid: u64,
    /// Can not be decoded.
    pub undecodable: u64,
    /// Have no value, and are ignored (`source.nullValues: Ignore`).
    #[serde(default)]
    pub ignored: u64,
}

impl Ledger {
    /// Whether every consumed record has exactly one verdict.
    pub fn balances(&self) -> bool {
        let refused = [self.invalid, self.undecodable, self.ignored];
        let verdicts = [self.counted, self.duplicate, self.late, self.filtered].into_iter().chain(refused);
        verdicts.sum::<u64>() == self.consumed
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.counted += other.counted;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.filtered += other.filtered;
        self.invalid += other.invalid;
        self.undecodable += other.undecodable;
        self.ignored += other.ignored;
    }

    /// The records that are not ignored.
    pub fn records(&self) -> u64 {
        self.consumed - self.ignored
    }
}

/// Records that went to the dead letters for one kind of reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalReport {
    /// `Undecodable`, `Invalid` or `Late`.
    pub verdict: String,
    /// The rule that was broken, or a stable word for what cannot be decoded; `late` for late records.
    pub reason: String,
    /// How many.
    pub records: u64,
    /// Partition of the first of them.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its dead letter's message, cut.
    pub message: String,
}

/// The filter, a rule, a group or a measure that had no usable value for some records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuelessReport {
    /// `rule`, `filter`, `group` or `measure`.
    pub kind: String,
    /// The name of the rule or the column; `filter` for the filter.
    pub name: String,
    /// Records for which it cannot be computed.
    pub no_value: u64,
    /// Records whose value, or a floating-point field that was read, is NaN or infinite.
    pub not_finite: u64,
}

/// One partition of the partials topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputReport {
    /// The partition.
    pub output: i32,
    /// The next message to read.
    pub position: i64,
    /// Windows that end by then are published, or lost.
    pub published_until: Option<i64>,
    /// Windows that end by then and are not in the store are lost: it had to be written again, and the partials topic no longer told
    /// all of them. Absent when nothing is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_until: Option<i64>,
    /// Gold files written, or found written, since this worker took it up.
    pub windows_published: u64,
    /// Quality reports written, or found written, since then.
    pub reports_published: u64,
    /// Windows that wait, with the source partitions that have not sealed them.
    pub waiting: Vec<WaitingWindow>,
    /// Windows that are stopped because two facts about them contradict each other.
    pub divergences: Vec<String>,
    /// Values that did not fit their columns and are null, for a day of events; those of the newest windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overflows: Vec<OverflowReport>,
}

/// The cells of one measure that are null in a published window because their values do not fit the column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverflowReport {
    /// Start of the window.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// The measure.
    pub measure: String,
    /// How many cells.
    pub cells: u64,
    /// The group of the first of them: `column=value` of every grouping column; empty without any.
    pub group: String,
}

impl OverflowReport {
    /// Whether it is still to be told: windows are published up to less than a day behind it.
    pub fn is_recent(&self, published_until: Option<i64>) -> bool {
        published_until.is_none_or(|until| until < self.end + LOSS_TOLD_FOR_MS)
    }

    /// The same for people; `time` says a time, of milliseconds since the epoch.
    pub fn words(&self, time: impl Fn(i64) -> String) -> String {
        let Self { start, end, measure, cells, group } = self;
        let group = if group.is_empty() { String::new() } else { format!(" for {group}") };
        let more = if *cells > 1 { format!(" and {} more cells", cells - 1) } else { String::new() };
        format!(
            "measure '{measure}' has a value that does not fit its column{group}{more} in the window from {} to {}, and is null there",
            time(*start),
            time(*end)
        )
    }
}

/// A window that is not complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingWindow {
    /// Its start.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// Partitions whose seal is missing.
    pub unsealed: Vec<i32>,
}

/// Whether data is good enough. The order is that of badness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum QualityState {
    /// Within the thresholds, or too few records to judge.
    #[default]
    Ok,
    /// More violations than the warning threshold.
    Warning,
    /// More violations than the critical threshold.
    Critical,
}

/// The data of all partitions over the span of log time that ends with the newest batch. It follows the log: without new
/// records it stays as it is, and [`QualityReport::until`] says how old it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QualityReport {
    /// The worst of the whole and of all rules.
    pub state: QualityState,
    /// What is wrong, naming every rule that is in doubt with its figures; empty when the state is `Ok`.
    pub message: String,
    /// What the pipeline does about it: `Report`, `HoldOutput` or `Suspend`; it is in force while the state is `Critical`.
    pub on_critical: String,
    /// Log time of the newest record that is judged; absent before the first batch.
    pub until: Option<i64>,
    /// How far back from there records are looked at, milliseconds.
    pub span_ms: i64,
    /// Batches in the span.
    pub batches: u64,
    /// All records: evaluated are those consumed, violations those refused (undecodable or invalid).
    pub overall: QualityStanding,
    /// The rules, in the manifest's order.
    pub rules: Vec<RuleStanding>,
    /// Why records in the span went to the dead letters, the commonest reason first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalReport>,
    /// Rules, filter, groups and measures that had no usable value for some records in the span.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub valueless: Vec<ValuelessReport>,
    /// The batch in the span with the most violations of the whole or of one rule; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_batch: Option<WorstBatch>,
}

/// Figures over the span, and what follows from them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QualityStanding {
    /// Records for which the rule said true or false.
    pub evaluated: u64,
    /// Records for which it said false.
    pub violations: u64,
    /// Violations per million evaluated, rounded down; 0 when nothing was evaluated.
    pub per_million: u64,
    /// What follows.
    pub state: QualityState,
    /// Log time at which the state began, as far as the worker looks back; absent before the first batch.
    pub since: Option<i64>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleStanding {
    /// Its name.
    pub name: String,
    /// Hash of its meaning.
    pub fingerprint: String,
    /// Its figures.
    #[serde(flatten)]
    pub standing: QualityStanding,
}

/// A batch that stands out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorstBatch {
    /// `<partition>-<first offset>`, as in the store's folders.
    pub batch_id: String,
    /// Log time of its last record.
    pub last_log_time: i64,
    /// The rule that was broken most; absent when most were refused for other reasons.
    pub rule: Option<String>,
    /// Records evaluated.
    pub evaluated: u64,
    /// Violations.
    pub violations: u64,
}

/// Something that keeps the worker from going on; it retries by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// A stable word in Pascal case: `BrokerUnreachable`, `RegistryUnreachable`, `SinkUnavailable`, `VolumeFull`, `Divergence`, `SourceDataLost`,
    /// `TopicMissing`, `TopicRecreated`, `StoppedByRule`, `DeadLetterRunaway`, `MessageTooLarge` (the message
    /// names the topic and the setting), `OutputHeld` and `QualitySuspended` (the data is critical;
    /// the message names the rule), `CheckpointFailed`, `IdleHeld`, `ReportsNotRolledUp`, `UnknownMeaning` and `NewerMeaning` (the pipeline has another revision elsewhere).
    pub reason: String,
    /// What happened, with the names of the things concerned.
    pub message: String,
    /// Since when.
    pub since: i64,
}

impl Trouble {
    /// Whether it goes away only when a person acts, as far as records that are in the log already are concerned.
    pub fn needs_a_person(&self) -> bool {
        let reasons = [
            "StoppedByRule",
            "DeadLetterRunaway",
            "QualitySuspended",
            "OutputHeld",
            "SourceDataLost",
            "TopicRecreated",
            "UnknownPartition",
            "UnknownMeaning",
            "NewerMeaning",
            "Divergence",
        ];
        reasons.contains(&self.reason.as_str())
    }
}
