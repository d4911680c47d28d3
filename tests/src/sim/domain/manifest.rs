//! The manifests of the simulated pipelines, and what a change of their meaning makes of them.

use super::FRESH;

/// What differs between the pipelines. Times are seconds.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    pub window: u32,
    pub offset: u32,
    pub delay: u32,
    pub skew: u32,
    pub idle_after: u32,
    pub interval: u32,
    pub max_records: u32,
    pub outputs: u32,
    pub refuse_amount: bool,
    pub drop_late: bool,
    pub close_when_idle: Option<u32>,
    /// Of how many batches the records per batch are compared with the median, if they are.
    pub volume: Option<u32>,
    /// The grouping columns.
    pub groups: &'static str,
    /// Whether test sales count too.
    pub counts_tests: bool,
    pub revision: u32,
}

/// The pipelines as they are at first.
pub const NUMBERS: [Numbers; 6] = [
    Numbers {
        window: 10,
        offset: 0,
        delay: 10,
        skew: 5,
        idle_after: 20,
        interval: 30,
        max_records: 1_000,
        outputs: 1,
        refuse_amount: true,
        drop_late: false,
        close_when_idle: None,
        volume: None,
        groups: "region, kind",
        counts_tests: false,
        revision: 1,
    },
    Numbers {
        window: 10,
        offset: 3,
        delay: 4,
        skew: 4,
        idle_after: 10,
        interval: 7,
        max_records: 11,
        outputs: 2,
        refuse_amount: false,
        drop_late: false,
        close_when_idle: Some(30),
        volume: Some(2),
        groups: "region, kind",
        counts_tests: false,
        revision: 1,
    },
    Numbers {
        window: 5,
        offset: 0,
        delay: 15,
        skew: 10,
        idle_after: 15,
        interval: 60,
        max_records: 16,
        outputs: 3,
        refuse_amount: true,
        drop_late: true,
        close_when_idle: None,
        volume: Some(3),
        groups: "region, kind",
        counts_tests: false,
        revision: 1,
    },
    Numbers {
        window: 20,
        offset: 7,
        delay: 20,
        skew: 1,
        idle_after: 30,
        interval: 20,
        max_records: 7,
        outputs: 1,
        refuse_amount: true,
        drop_late: false,
        close_when_idle: Some(60),
        volume: Some(4),
        groups: "region, kind",
        counts_tests: false,
        revision: 1,
    },
    Numbers {
        window: 4,
        offset: 1,
        delay: 1,
        skew: 1,
        idle_after: 5,
        interval: 4,
        max_records: 5,
        outputs: 2,
        refuse_amount: false,
        drop_late: false,
        close_when_idle: None,
        volume: Some(1),
        groups: "region, kind",
        counts_tests: false,
        revision: 1,
    },
    Numbers {
        window: 10,
        offset: 0,
        delay: 30,
        skew: 30,
        idle_after: 12,
        interval: 300,
        max_records: 1_000,
        outputs: 2,
        refuse_amount: true,
        drop_late: false,
        close_when_idle: Some(24),
        volume: None,
        groups: "region, kind",
        counts_tests: false,
        revision: 1,
    },
];

/// How many ways there are to change a meaning.
pub const CHANGES: usize = 5;

impl Numbers {
    /// The pipeline after a change of its meaning.
    pub fn revised(self, change: usize) -> Self {
        let revised = Self { revision: 2, ..self };
        match change {
            // Other columns and records, on the same grid.
            0 => Self { groups: "region", counts_tests: true, refuse_amount: !self.refuse_amount, ..revised },
            // Longer windows, which begin with those before.
            1 => Self { window: self.window * 2, refuse_amount: !self.refuse_amount, ..revised },
            // Another watermark, and batches of another length.
            2 => {
                let delay = self.delay.div_ceil(2);
                Self { delay, skew: delay, interval: self.interval + 5, counts_tests: true, ..revised }
            }
            // A grid that does not meet the one before for long, and a longer delay.
            3 => Self {
                window: self.window.div_ceil(2) * 2 + self.window.div_ceil(10) * 2,
                offset: 1,
                delay: self.delay + 7,
                ..revised
            },
            // Shorter windows, and another measure for batches.
            _ => Self {
                window: (self.window / 2).max(2),
                offset: self.offset / 2,
                volume: Some(2),
                skew: (self.skew / 2).max(1),
                ..revised
            },
        }
    }
}

/// The manifest of a pipeline over so many source partitions.
pub fn manifest(numbers: &Numbers, partitions: usize) -> String {
    let Numbers { window, offset, delay, skew, idle_after, interval, max_records, outputs, groups, revision, .. } =
        numbers;
    let amount = if numbers.refuse_amount { "DeadLetter" } else { "Report" };
    let late = if numbers.drop_late { "Drop" } else { "DeadLetter" };
    let close = numbers.close_when_idle.map_or_else(String::new, |after| format!("  closeWhenIdleFor: {after}s\n"));
    let fresh = FRESH / 1000;
    let filter = if numbers.counts_tests { "" } else { "  filter: \"kind <> 'test'\"\n" };
    let volume = |batches: u32| {
        let limits = format!("minPercent: 50, maxPercent: 200, batches: {batches}");
        format!("      - {{name: volume, volume: {{{limits}}}, onViolation: Report}}\n")
    };
    let volume = numbers.volume.map_or_else(String::new, volume);
    format!(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: AnalyticsPipeline
metadata: {{name: sim}}
spec:
  kafka: {{bootstrapServers: "nowhere:1"}}
  schemaRegistry: {{url: "http://nowhere:1"}}
  source:
    topic: {{name: sales, partitions: {partitions}}}
    schema:
      subject: sales-value
      avro: |
        {{"type": "record", "name": "Sale", "fields": [
          {{"name": "id", "type": ["null", "string"]}},
          {{"name": "at", "type": ["null", {{"type": "long", "logicalType": "timestamp-millis"}}]}},
          {{"name": "got", "type": ["null", {{"type": "long", "logicalType": "timestamp-millis"}}]}},
          {{"name": "region", "type": ["null", "string"]}},
          {{"name": "kind", "type": "string"}},
          {{"name": "amount", "type": ["null", {{"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}}]}}
        ]}}
    eventId: id
    eventTime: at
    ingestTime: got
    onDataLoss: Continue
    watermark: {{delay: {delay}s, maxFutureSkew: {skew}s, idleAfter: {idle_after}s}}
  revision: {revision}
{filter}  quality:
    batch: {{interval: {interval}s, maxRecords: {max_records}}}
    samples: {{perRule: 2}}
    rules:
      - {{name: required, required: [id, at]}}
      - {{name: region, field: region, oneOf: [eu, us]}}
      - {{name: amount, field: amount, min: "0", onViolation: {amount}}}
      - {{name: fresh, maxLatency: {fresh}s, onViolation: Report}}
{volume}  window: {{size: {window}s, offset: {offset}s}}
  groupBy: [{groups}]
  measures:
    - {{name: sales, expression: count(*)}}
    - {{name: revenue, expression: sum(amount)}}
    - {{name: top, expression: max(amount)}}
    - {{name: mean, expression: avg(amount)}}
  late: {{policy: {late}}}
  partials: {{partitions: {outputs}}}
  sink: {{path: "file:///nowhere"}}
{close}"#
    )
}
