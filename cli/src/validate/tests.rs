//! One valid baseline, one mutation, one exact message; and the formats as a whole.

use super::*;

const QUICKSTART: &str = include_str!("../../../examples/revenue-5m.yaml");

fn shown(text: &str) -> String {
    let checked = Checked::new(Source::new("revenue-5m.yaml", text));
    let mut out = Vec::new();
    text::write(&[checked], Style::Plain, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("text")
}

/// The quickstart with one piece replaced.
fn with(old: &str, new: &str) -> String {
    assert_eq!(QUICKSTART.matches(old).count(), 1, "'{old}' is there once");
    shown(&QUICKSTART.replace(old, new))
}

#[test]
fn the_quickstart_is_right() {
    assert_eq!(shown(QUICKSTART), "revenue-5m.yaml: pipeline 'revenue-5m' is right\n");
}

#[test]
fn malformed_yaml() {
    assert_eq!(
        with("window: {size: 5m}", "window: {size: 5m"),
        "\
SL0001

  × malformed YAML: while parsing a flow mapping, did not find expected ',' or '}'
    ╭─[revenue-5m.yaml:48:10]
 47 │   window: {size: 5m
 48 │   groupBy: [region, plan_tier]
    ·          ┬
    ·          ╰── here
 49 │   measures:
    ╰────

revenue-5m.yaml: 1 problem
"
    );
}

#[test]
fn an_unknown_field() {
    assert_eq!(
        with("idleAfter: 1m", "idelAfter: 1m"),
        "\
SL0002

  × unknown field 'idelAfter'
    ╭─[revenue-5m.yaml:36:29]
 35 │     ingestTime: ingest_time
 36 │     watermark: {delay: 10m, idelAfter: 1m, maxFutureSkew: 5m}
    ·                             ────┬────
    ·                                 ╰── spec.source.watermark.idelAfter
 37 │   quality:
    ╰────
  help: did you mean 'idleAfter'?

revenue-5m.yaml: pipeline 'revenue-5m' has 1 problem
"
    );
}

/// The problems of the quickstart with one piece replaced, one line each.
fn problems(old: &str, new: &str) -> Vec<String> {
    assert_eq!(QUICKSTART.matches(old).count(), 1, "'{old}' is there once");
    let checked = Checked::new(Source::new("q", QUICKSTART.replace(old, new)));
    let line = |finding: &Finding| {
        let place = checked.source.place(finding.range.start);
        let (at, help) = (&checked.source.text[finding.range.clone()], finding.help.clone().unwrap_or_default());
        format!("{}:{} {} [{at}] {} | {help}", place.line, place.column, finding.code, finding.message)
    };
    checked.findings().map(line).collect()
}

#[test]
fn a_rule_on_a_field_that_the_schema_lacks() {
    assert_eq!(
        problems("field: region, ", "field: regoin, "),
        ["42:34 SL0203 [regoin] the schema has no field 'regoin' | did you mean 'region'?"]
    );
}

#[test]
fn a_filter_that_is_no_condition() {
    assert_eq!(
        problems("  window: {size", "  filter: amount + 1\n  window: {size"),
        [
            "47:11 SL0305 [amount + 1] the filter is a decimal(13, 2), not a condition | allowed is an expression that is \
          true or false, for example a comparison"
        ]
    );
}

#[test]
fn a_sum_of_strings() {
    assert_eq!(
        problems("sum(amount)", "sum(region)"),
        [
            "50:39 SL0304 [region] cannot take the sum of field 'region', a string | allowed are numbers of at most 38 digits"
        ]
    );
}

#[test]
fn bad_avro_schemas_point_into_the_block() {
    assert_eq!(
        problems("\"type\": \"int\"}", "\"type\": \"int\""),
        ["25:13 SL0201 [{] the Avro schema is not JSON: key must be a string | "]
    );
    assert_eq!(
        problems("\"type\": \"int\"}", "\"type\": \"itn\"}"),
        [
            "14:9 SL0201 [{] the Avro schema uses type 'sluice.sales.itn', which is not defined before its use | did you mean 'int'?"
        ]
    );
}

#[test]
fn a_window_that_does_not_divide_a_day() {
    assert_eq!(
        problems("size: 5m", "size: 7m"),
        ["47:18 SL0503 [7m] a window of 7m does not divide a day | allowed are divisors of a day and whole days, for \
          example 6m or 8m"]
    );
}

#[test]
fn problems_inside_an_expression_point_at_the_word() {
    assert_eq!(
        problems("or amount = 0", "or amuont = 0"),
        ["46:66 SL0302 [amuont] the schema has no field 'amuont' | did you mean 'amount'?"]
    );
    assert_eq!(
        problems(
            "expression: \"plan_tier <> 'free' or amount = 0\"",
            "expression: 'plan_tier <> ''free'' or amuont = 0'"
        ),
        ["46:68 SL0302 [amuont] the schema has no field 'amuont' | did you mean 'amount'?"]
    );
}

#[test]
fn form_and_meaning_are_told_at_once() {
    let text = QUICKSTART.replace("groupBy:", "gruopBy:").replace("size: 5m", "size: 7m");
    let checked = Checked::new(Source::new("q", text));
    assert_eq!(checked.findings().map(|finding| finding.code).collect::<Vec<_>>(), ["SL0503", "SL0002"]);
}

#[test]
fn other_kinds_are_skipped_and_all_documents_are_checked() {
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let broken = QUICKSTART.replace("revenue-5m", "second").replace("size: 5m", "size: 7m");
    let text = format!("{other}---\n{QUICKSTART}---\n{broken}---\n");
    let shown = shown(&text);
    let summary = shown.split("8m\n\n").nth(1).expect("after the only problem");
    assert_eq!(
        summary,
        "revenue-5m.yaml:1: skipped, its kind is 'ConfigMap'\n\
         revenue-5m.yaml: pipeline 'revenue-5m' is right\n\
         revenue-5m.yaml: pipeline 'second' has 1 problem\n"
    );
    assert_eq!(
        self::shown(other),
        "revenue-5m.yaml:1: skipped, its kind is 'ConfigMap'\nno AnalyticsPipeline to check\n"
    );
    assert_eq!(self::shown(""), "revenue-5m.yaml: nothing in it\nno AnalyticsPipeline to check\n");
}

#[test]
fn json_and_sarif_carry_the_place() {
    let checked = [Checked::new(Source::new("dir/q.yaml", QUICKSTART.replace("size: 5m", "size: 7m")))];
    let read = |write: fn(&[Checked], &mut dyn Write) -> std::io::Result<()>| -> serde_json::Value {
        let mut out = Vec::new();
        write(&checked, &mut out).expect("a vector takes everything");
        serde_json::from_slice(&out).expect("JSON")
    };
    assert_eq!(
        read(json::write),
        serde_json::json!({"problems": 1, "files": [{"file": "dir/q.yaml", "documents": [{
            "pipeline": "revenue-5m", "result": "problems", "problems": [{
                "code": "SL0503",
                "message": "a window of 7m does not divide a day",
                "help": "allowed are divisors of a day and whole days, for example 6m or 8m",
                "path": "spec.window.size",
                "line": 47, "column": 18, "endLine": 47, "endColumn": 20,
            }],
        }]}]})
    );
    let sarif = read(sarif::write);
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "SL0503");
    assert_eq!(
        result["locations"][0]["physicalLocation"],
        serde_json::json!({
            "artifactLocation": {"uri": "dir/q.yaml"},
            "region": {"startLine": 47, "startColumn": 18, "endLine": 47, "endColumn": 20},
        })
    );
}

#[test]
fn exit_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let code = |files: &[&PathBuf]| {
        let args = ValidateArgs { files: files.iter().map(|file| (*file).clone()).collect(), output: Output::Json };
        format!("{:?}", run(&args, &mut Vec::new()).expect("a vector takes everything"))
    };
    let is = |code: u8| format!("{:?}", ExitCode::from(code));
    let right = file("right", QUICKSTART);
    let wrong = file("wrong", "kind: AnalyticsPipeline");
    let other = file("other", "kind: Pod\napiVersion: v1");
    let missing = folder.path().join("missing");
    assert_eq!(code(&[&right]), is(0));
    assert_eq!(code(&[&right, &other]), is(0));
    assert_eq!(code(&[&other]), is(1));
    assert_eq!(code(&[&right, &wrong]), is(1));
    assert_eq!(code(&[&right, &missing]), is(2));
}
