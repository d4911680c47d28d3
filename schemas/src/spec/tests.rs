//! The shape of the manifest: what is refused, what is filled in, what survives being written again.

use serde_json::json;

use super::{AnalyticsPipeline, Duration, LatePolicy, OnViolation, Rule};

fn smallest() -> serde_json::Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "AnalyticsPipeline", "metadata": {"name": "p"},
        "spec": {
            "kafka": {"bootstrapServers": "kafka:9092"},
            "schemaRegistry": {"url": "http://registry:8081"},
            "source": {"topic": {"name": "t"}, "schema": {"subject": "s", "avro": "{}"}, "eventId": "i", "eventTime": "t"},
            "window": {"size": "5m"},
            "measures": [{"name": "n", "expression": "count(*)"}],
            "sink": {"path": "file:///data"}
        }
    })
}

#[test]
fn what_is_left_out_is_filled_in() {
    let pipeline: AnalyticsPipeline = serde_json::from_value(smallest()).expect("the smallest manifest");
    let spec = &pipeline.spec;
    assert_eq!((spec.revision, spec.suspend, spec.late.policy), (1, false, LatePolicy::DeadLetter));
    assert_eq!((spec.source.topic.partitions, spec.partials.partitions, spec.workers.replicas), (1, 1, 1));
    assert_eq!(spec.source.watermark.delay.millis(), 600_000);
    assert_eq!((spec.quality.batch.interval.millis(), spec.quality.batch.max_records), (60_000, 1_000_000));
    assert_eq!(spec.sink.partition_by, ["date"]);
}

#[test]
fn a_manifest_written_again_reads_the_same() {
    let pipeline: AnalyticsPipeline = serde_json::from_value(smallest()).expect("the smallest manifest");
    let text = serde_json::to_string(&pipeline).expect("plain data serialises");
    assert_eq!(serde_json::from_str::<AnalyticsPipeline>(&text).expect("its own output"), pipeline);
}

#[test]
fn unknown_fields_are_refused_at_every_depth() {
    for pointer in ["", "/metadata", "/spec", "/spec/source", "/spec/source/topic", "/spec/window", "/spec/measures/0"]
    {
        let mut manifest = smallest();
        let object = manifest.pointer_mut(pointer).and_then(|v| v.as_object_mut()).expect("an object");
        object.insert("bogus".to_owned(), json!(1));
        let error = serde_json::from_value::<AnalyticsPipeline>(manifest).expect_err("an unknown field");
        assert!(error.to_string().starts_with("unknown field `bogus`"), "{pointer}: {error}");
    }
}

#[test]
fn durations_are_a_number_and_one_unit() {
    for (text, millis) in [("250ms", 250), ("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000)] {
        let duration: Duration = text.parse().expect("a valid duration");
        assert_eq!((duration.millis(), duration.to_string().as_str()), (millis, text));
        assert_eq!(Duration::from_millis(millis).map(|d| d.millis()), Ok(millis));
    }
    for text in
        ["", "5", "m", "-5m", "5 m", "1.5h", "5M", "1h30m", "10001d", "000005m0", "000000010m", "99999999999999999999s"]
    {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
    let error = "5x".parse::<Duration>().expect_err("no such unit").to_string();
    assert_eq!(
        error,
        "invalid duration '5x': allowed is a whole number with a unit, 'ms', 's', 'm', 'h' or 'd', for example '90s'"
    );
}

#[test]
fn bounds_are_strings_or_whole_numbers() {
    let rule = |min| serde_json::from_value::<Rule>(json!({"name": "r", "field": "f", "min": min}));
    for (min, text) in [(json!("0.50"), "0.50"), (json!(0), "0"), (json!(-7), "-7")] {
        let rule = rule(min).expect("a string or a whole number");
        assert_eq!(rule.min.expect("as given").as_str(), text);
        assert_eq!(rule.on_violation, OnViolation::DeadLetter);
    }
    let error = rule(json!(0.5)).expect_err("floats lose cents").to_string();
    assert!(error.contains("expected a string or a whole number (put other values in quotes)"), "{error}");
}

#[test]
fn the_json_schema_shows_docs_defaults_and_bounds() {
    let schema = serde_json::to_value(schemars::schema_for!(AnalyticsPipeline)).expect("a schema is JSON");
    let spec = &schema["$defs"]["AnalyticsPipelineSpec"]["properties"];
    assert_eq!(spec["revision"]["default"], 1);
    assert!(spec["filter"]["description"].as_str().is_some_and(|d| d.starts_with("SQL condition")));
    let watermark = &schema["$defs"]["Watermark"]["properties"];
    assert_eq!(watermark["delay"]["default"], "10m");
    assert_eq!(watermark["delay"]["maxLength"], 14);
}
