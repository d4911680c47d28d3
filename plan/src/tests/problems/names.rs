//! Identity and names: what things may be called.

use serde_json::json;

use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn identity_and_names() {
    refused(&[
        (
            "/apiVersion",
            json!("sluice.dev/v1"),
            &["SL0101 apiVersion: the apiVersion is 'sluice.dev/v1' (allowed is 'sluice.dev/v1alpha1')"],
        ),
        ("/kind", json!("Pipeline"), &["SL0101 kind: the kind is 'Pipeline' (allowed is 'AnalyticsPipeline')"]),
        (
            "/metadata/name",
            json!("Revenue_5m"),
            &[
                "SL0102 metadata.name: 'Revenue_5m' is not a pipeline name (allowed are lower case letters, digits and '-', starting with a letter, at most 50)",
            ],
        ),
        ("/spec/revision", json!(0), &["SL0502 spec.revision: the revision is 0 (allowed is 1 or more)"]),
        (
            "/spec/quality/rules/1/name",
            json!("Plan Tier"),
            &[
                "SL0102 spec.quality.rules[1].name: 'Plan Tier' is not a rule name (allowed are lower case letters, digits and '-', at most 63)",
            ],
        ),
        (
            "/spec/quality/rules/1/name",
            json!("event-time-late"),
            &[
                "SL0104 spec.quality.rules[1].name: the rule name 'event-time-late' is reserved (allowed are names that do not start with 'event-time-' or 'event-id-')",
            ],
        ),
        (
            "/spec/quality/rules/2/name",
            json!("plan-tier"),
            &[
                "SL0103 spec.quality.rules[2].name: there are two rules named 'plan-tier' (allowed is one rule per name)",
            ],
        ),
        (
            "/spec/measures/0/name",
            json!("net revenue"),
            &[
                "SL0102 spec.measures[0].name: 'net revenue' is not a column name (allowed are letters, digits and '_', not starting with a digit, at most 63)",
            ],
        ),
        (
            "/spec/measures/0/name",
            json!("window_start"),
            &[
                "SL0104 spec.measures[0].name: the measure name 'window_start' is reserved (every output has columns 'window_start' and 'window_end')",
            ],
        ),
        (
            "/spec/measures/0/name",
            json!("Date"),
            &[
                "SL0104 spec.measures[0].name: the measure name 'Date' is reserved (the folders of 'sink.partitionBy: [date]', which is the default, have that name: write 'sink.partitionBy: []', or choose another name)",
            ],
        ),
        (
            "/spec/measures/0/name",
            json!("Region"),
            &["SL0103 spec.measures[0].name: measure 'Region' has the name of a grouping column (choose another name)"],
        ),
        (
            "/spec/measures/1/name",
            json!("Revenue"),
            &[
                "SL0103 spec.measures[1].name: there are two measures named 'Revenue' (upper and lower case are not told apart)",
            ],
        ),
        (
            "/spec/groupBy/1",
            json!("region"),
            &["SL0103 spec.groupBy[1]: field 'region' is grouped by twice (remove it)"],
        ),
        (
            "/spec/source/topic/name",
            json!("sales events"),
            &[
                "SL0102 spec.source.topic.name: 'sales events' is not a topic name (allowed are letters, digits, '.', '_' and '-', at most 249)",
            ],
        ),
        (
            "/spec/deadLetter/topic/name",
            json!("sales.events.v1"),
            &[
                "SL0103 spec.deadLetter.topic.name: the topic 'sales.events.v1' has another use in this pipeline (choose another topic)",
            ],
        ),
        (
            "/spec/deadLetter/topic/name",
            json!("revenue-5m.partials.v1"),
            &[
                "SL0103 spec.deadLetter.topic.name: the topic 'revenue-5m.partials.v1' has another use in this pipeline (choose another topic)",
            ],
        ),
        (
            "/spec/measures",
            json!([]),
            &["SL0501 spec.measures: there is no measure (allowed is at least one, for example 'count(*)')"],
        ),
    ]);
}
