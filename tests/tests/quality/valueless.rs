//! What cannot be computed, what is not finite, and records without a value: counted in the reports of a run from end to end.

use anyhow::{Context as _, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use tests::pipeline::{Way, ledger, rows, run_bounded};

use crate::world::{MINUTE, PATIENCE, START, World};

/// Records without a value, in the middle of the others.
fn send_tombstones(world: &World, count: usize) -> Result<()> {
    let bootstrap = world.broker.bootstrap_servers();
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", bootstrap).create()?;
    for number in 0..count {
        let key = format!("gone-{number}");
        let sent = BaseRecord::<str, [u8]>::to("sales.events.v1").key(&key).timestamp(START + 10 * MINUTE);
        producer.send(sent).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

/// The sum of a column over the rows with this kind and name.
fn sum(batches: &[RecordBatch], kind: &str, name: &str, column: &str) -> Result<i64> {
    let mut sum = 0;
    for batch in batches.iter().filter(|batch| batch.column_by_name("consumed").is_some()) {
        let text =
            |name: &str| Ok::<_, anyhow::Error>(batch.column_by_name(name).context("a column")?.as_string::<i32>());
        let (kinds, names) = (text("kind")?, text("name")?);
        let numbers = batch.column_by_name(column).context("a number")?.as_primitive::<Int64Type>();
        let is_of = |row: &usize| kinds.value(*row) == kind && names.is_valid(*row) && names.value(*row) == name;
        sum += (0..batch.num_rows()).filter(is_of).map(|row| numbers.value(row)).sum::<i64>();
    }
    Ok(sum)
}

/// The sum of a measure over all windows.
fn total(batches: &[RecordBatch], measure: &str) -> Result<i64> {
    let column =
        |batch: &RecordBatch| batch.column_by_name(measure).map(|column| column.as_primitive::<Int64Type>().clone());
    let sums = batches.iter().map(|batch| column(batch).map(|column| column.iter().flatten().sum::<i64>()));
    sums.sum::<Option<i64>>().context("it is a column")
}

#[test]
fn what_has_no_value_is_left_out_and_counted_and_nothing_ends() -> Result<()> {
    let world = World::start()?;
    let data = world.path("data");
    let rule = json!({"name": "odd", "expression": "cast(region as int) > 1", "onViolation": "Report"});
    let plan = world.plan(
        &data,
        &[
            ("/spec/source/nullValues", json!("Ignore")),
            ("/spec/measures/2", json!({"name": "none", "expression": "sum(cast(region as int))"})),
            (
                "/spec/measures/3",
                json!({"name": "huge", "expression": "sum(cast(amount as double) * cast('1e308' as double))"}),
            ),
            ("/spec/measures/4", json!({"name": "paid", "expression": "count(*) filter (where amount > 1.79)"})),
            ("/spec/quality/rules/0", rule),
        ],
    )?;
    world.feed(0, 10, |_| {})?;
    send_tombstones(&world, 700)?;
    world.feed(10, 20, |_| {})?;
    let way = Way { group: "once".to_owned(), workers: 1, lanes: 2, fetch_records: 333 };
    run_bounded(&plan, &way, PATIENCE)?;

    let found = ledger(&data)?;
    assert!(found.balances(), "{found:?}");
    assert_eq!(
        (found.consumed, found.counted, found.ignored, found.undecodable),
        (20_700, 20_000, 700, 0),
        "{found:?}"
    );
    let (gold, metrics) = (rows(&data.join("gold"))?, rows(&data.join("dq"))?);
    let of = |kind: &str, name: &str| -> Result<(i64, i64)> {
        Ok((sum(&metrics, kind, name, "no_value")?, sum(&metrics, kind, name, "not_finite")?))
    };
    assert_eq!(of("measure", "none")?, (20_000, 0));
    let paid = total(&gold, "paid")?;
    assert!(paid > 1000, "{paid}");
    assert_eq!(of("measure", "huge")?, (0, paid));
    assert_eq!(of("measure", "revenue")?, (0, 0));
    assert_eq!(of("rule", "odd")?, (20_000, 0));
    let counts = ["evaluated", "violations", "skipped"].map(|column| sum(&metrics, "rule", "odd", column));
    let counts = counts.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(counts, [0, 0, 20_000]);

    let samples: Vec<&RecordBatch> = metrics.iter().filter(|batch| batch.column_by_name("why").is_some()).collect();
    for (name, why) in [("none", "no-value"), ("huge", "not-finite"), ("odd", "no-value")] {
        let is_there = samples.iter().any(|batch| {
            let text = |column: &str| batch.column_by_name(column).map(|column| column.as_string::<i32>().clone());
            let (Some(names), Some(whys)) = (text("name"), text("why")) else { return false };
            (0..batch.num_rows()).any(|row| (names.value(row), whys.value(row)) == (name, why))
        });
        assert!(is_there, "'{name}' has a sample of {why}");
    }
    Ok(())
}
