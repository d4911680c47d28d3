//! A small store written by DuckDB itself: exact values, right alignment, clear words when there is nothing.

use std::fs::create_dir_all;
use std::path::Path;

use super::*;

/// Two windows of one pipeline; the second file has a column that the first lacks.
fn store(folder: &Path) {
    let gold = folder.join("gold/p/date=2026-11-23");
    create_dir_all(&gold).expect("a folder");
    let duckdb = duckdb::Connection::open_in_memory().expect("DuckDB starts");
    let copy = |select: &str, name: &str| {
        let file = gold.join(name);
        duckdb.execute_batch(&format!("copy ({select}) to '{}' (format parquet)", file.display())).expect("a file");
    };
    let row = |minute: u32, region: &str, revenue: &str| {
        format!(
            "select timestamptz '2026-11-23 10:{minute:02}:00+00' as window_start, {region} as region, {revenue}::decimal(38,2) as revenue"
        )
    };
    copy(
        &format!("{} union all {}", row(0, "'eu'", "'12345678901234567890.10'"), row(0, "null", "-0.5")),
        "w=1.parquet",
    );
    copy(&format!("{}, 7::bigint as n, true as ok", row(5, "'a,\"b\"'", "3")), "w=2.parquet");
}

fn shown(folder: &Path, sql: Option<&str>, output: Format) -> Result<String, QueryError> {
    let args = QueryArgs { sql: sql.map(str::to_owned), data: folder.to_owned(), pipeline: None, output };
    let mut out = Vec::new();
    run(&args, &mut out)?;
    Ok(String::from_utf8(out).expect("text"))
}

#[test]
fn a_table_is_exact_and_aligned() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path());
    let table = shown(folder.path(), None, Format::Table).expect("rows");
    assert_eq!(
        table,
        "\
┌──────────────────────┬────────┬─────────────────────────┬──────┬──────┐
│ window_start         ┆ region ┆                 revenue ┆    n ┆ ok   │
╞══════════════════════╪════════╪═════════════════════════╪══════╪══════╡
│ 2026-11-23T10:00:00Z ┆ eu     ┆ 12345678901234567890.10 ┆ null ┆ null │
│ 2026-11-23T10:00:00Z ┆ null   ┆                   -0.50 ┆ null ┆ null │
│ 2026-11-23T10:05:00Z ┆ a,\"b\"  ┆                    3.00 ┆    7 ┆ true │
└──────────────────────┴────────┴─────────────────────────┴──────┴──────┘
3 rows
"
    );
}

#[test]
fn csv_and_json_keep_all_digits() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path());
    let sql = Some("select region, revenue, ok from gold order by all");
    assert_eq!(
        shown(folder.path(), sql, Format::Csv).expect("rows"),
        "region,revenue,ok\n\"a,\"\"b\"\"\",3.00,true\neu,12345678901234567890.10,\n,-0.50,\n"
    );
    assert_eq!(
        shown(folder.path(), sql, Format::Json).expect("rows"),
        "[\n  {\"region\": \"a,\\\"b\\\"\", \"revenue\": 3.00, \"ok\": true},\n  \
         {\"region\": \"eu\", \"revenue\": 12345678901234567890.10, \"ok\": null},\n  \
         {\"region\": null, \"revenue\": -0.50, \"ok\": null}\n]\n"
    );
    assert_eq!(shown(folder.path(), Some("select 1 as a where false"), Format::Json).expect("rows"), "[]\n");
    assert_eq!(shown(folder.path(), Some("select sum(n) as n from gold"), Format::Csv).expect("rows"), "n\n7\n");
}

#[test]
fn nothing_there_is_said_clearly() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = shown(folder.path(), None, Format::Table).expect_err("nothing in it").to_string();
    assert_eq!(
        empty,
        format!(
            "the store '{}' holds no tables yet: run a pipeline with this folder as its sink, or name another one with --data",
            folder.path().display()
        )
    );
    store(folder.path());
    let missing = shown(folder.path(), Some("select * from dq_metrics"), Format::Table).expect_err("no such files");
    assert!(missing.to_string().ends_with("\nthere are no files of 'dq_metrics' yet"), "{missing}");
    let wrong = shown(folder.path(), Some("select regoin from gold"), Format::Table).expect_err("no such column");
    assert!(wrong.to_string().starts_with("Binder Error: Referenced column \"regoin\" not found"), "{wrong}");
    let chain = format!("{:#}", anyhow::Error::from(wrong));
    assert!(!chain.contains("Unknown error code"), "{chain}");
}

#[test]
fn what_fails_for_a_file_that_has_gone_is_done_again_unless_the_file_is_listed_still() {
    let gone = |file: &str| format!("IO Error: Cannot open file \"{file}\": No such file or directory");
    let (a, b, other) = (gone("a.parquet"), gone("b.parquet"), "IO Error: No space left on device".to_owned());
    for (failures, tries, expected) in [
        (vec![], 1, Ok(())),
        (vec![a.clone(), b.clone()], 3, Ok(())),
        (vec![a.clone(), b.clone(), b.clone()], 3, Err(b)),
        (vec![a.clone(), other.clone()], 2, Err(other.clone())),
        (vec![other.clone()], 1, Err(other)),
    ] {
        let mut left = failures.iter();
        let mut tried = 0;
        let done = store::persist(|| {
            tried += 1;
            let failed =
                |message: &String| duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(1), Some(message.clone()));
            left.next().map_or(Ok(()), |message| Err(failed(message)))
        });
        assert_eq!((done, tried), (expected, tries), "{failures:?}");
    }
}
