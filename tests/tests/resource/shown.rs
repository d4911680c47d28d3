//! What people and other programs see of a pipeline: columns, scale, status.

use anyhow::Result;
use reqwest::Method;
use schemas::status::{
    AnalyticsPipelineStatus, Condition, ConditionStatus, ConditionType, DataQuality, Progress, PublishedWindow, Reason,
    RuleState, RuleStatus, Time, WorstBatch,
};
use serde_json::{Value, json};

use crate::case::baseline;
use crate::{PIPELINES, server};

/// A status with everything in it.
fn full() -> AnalyticsPipelineStatus {
    let now = Time::from_millis(1_795_774_500_000);
    let condition = |kind, status, reason: Reason| Condition::new(kind, status, reason, "said", now);
    let spec = serde_json::from_value(baseline()["spec"].clone()).unwrap();
    AnalyticsPipelineStatus {
        observed_generation: Some(1),
        conditions: vec![
            condition(ConditionType::Ready, ConditionStatus::False, Reason::BrokerUnreachable),
            condition(ConditionType::DataQualityHealthy, ConditionStatus::True, Reason::WithinThresholds),
        ],
        revision: Some(1),
        replicas: Some(1),
        ready_replicas: Some(0),
        workers: Some("0/1".to_owned()),
        selector: Some("app.kubernetes.io/instance=revenue-5m".to_owned()),
        progress: Some(Progress {
            lag: Some(7),
            watermark: Some(now),
            slowest_partition: Some(2),
            last_published_window: Some(PublishedWindow { start: now, end: now }),
            waiting_windows: Some(1),
            records_per_second: Some(1_200),
        }),
        data_quality: Some(DataQuality {
            rules: vec![RuleStatus {
                name: "region".to_owned(),
                evaluated: 9,
                violations: 1,
                state: RuleState::Healthy,
            }],
            worst_batch: Some(WorstBatch {
                batch: "0-17".to_owned(),
                at: now,
                rule: Some("region".to_owned()),
                evaluated: 9,
                violations: 1,
            }),
        }),
        epochs: Some(schemas::epochs::Epochs {
            topology: vec![schemas::epochs::TopologyEpoch { from: None, partitions: 3 }],
            previous: Some(schemas::epochs::PreviousMeaning { until: 1_795_774_500_000, spec }),
        }),
        created_topics: vec!["sales.events.v1".to_owned()],
    }
}

#[test]
#[ignore = "needs servers: make test"]
fn a_status_is_kept_whole_and_shown_in_columns_and_scale() -> Result<()> {
    let server = server()?;
    let path = format!("{PIPELINES}/revenue-5m");
    let mut pipeline = server.call(Method::POST, PIPELINES, Some(&baseline()))?.body;
    pipeline["status"] = serde_json::to_value(full())?;
    let written = server.call(Method::PUT, &format!("{path}/status?fieldValidation=Strict"), Some(&pipeline))?;
    assert_eq!((written.code, &written.warnings[..]), (200, &[][..]), "{}", written.body["message"]);
    let kept: AnalyticsPipelineStatus = serde_json::from_value(written.body["status"].clone())?;
    assert_eq!(kept, full());

    let table = server.table(&path)?;
    let names: Vec<&str> = columns(&table, "columnDefinitions").filter_map(|column| column["name"].as_str()).collect();
    assert_eq!(names, ["Name", "Ready", "Reason", "Workers", "Lag", "Watermark", "Quality", "Age", "Message"]);
    let cells: Vec<&Value> = columns(&table["rows"][0], "cells").collect();
    assert_eq!(
        cells[..5],
        [&json!("revenue-5m"), &json!("False"), &json!("BrokerUnreachable"), &json!("0/1"), &json!(7)]
    );
    assert_eq!((cells[6], cells[8]), (&json!("True"), &json!("said")));

    let scale = server.call(Method::GET, &format!("{path}/scale"), None)?.body;
    assert_eq!(scale["spec"]["replicas"], 1);
    assert_eq!(scale["status"], json!({"replicas": 1, "selector": "app.kubernetes.io/instance=revenue-5m"}));
    let mut wider = scale.clone();
    wider["spec"]["replicas"] = json!(3);
    let scaled = server.call(Method::PUT, &format!("{path}/scale"), Some(&wider))?;
    assert_eq!((scaled.code, &scaled.body["spec"]["replicas"]), (200, &json!(3)), "{}", scaled.body["message"]);
    wider["spec"]["replicas"] = json!(4);
    wider["metadata"]["resourceVersion"] = scaled.body["metadata"]["resourceVersion"].clone();
    let refused = server.call(Method::PUT, &format!("{path}/scale"), Some(&wider))?;
    assert_eq!(refused.code, 422, "more workers than partitions");
    Ok(())
}

fn columns<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}
