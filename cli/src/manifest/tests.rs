//! Shapes and places: what a file's problems are and which characters they point at.

use super::*;

fn findings(text: &str) -> Vec<String> {
    let source = Source::new("p.yaml", text);
    let mut lines = Vec::new();
    for document in read(&source) {
        let Document::Broken { findings, .. } = document else { continue };
        for Finding { code, path, message, help, range } in findings {
            let Place { line, column } = source.place(range.start);
            let (at, help) = (&source.text[range], help.unwrap_or_default());
            lines.push(format!("{line}:{column} {code} {path} [{at}] {message} | {help}"));
        }
    }
    lines
}

const HEAD: &str = "apiVersion: sluice.dev/v1alpha1\nkind: AnalyticsPipeline\nmetadata: {name: p}\n";

#[test]
fn malformed_yaml_points_at_the_character() {
    let open = "apiVersion: sluice.dev/v1alpha1\nkind: [AnalyticsPipeline\nmetadata: {name: p}\n";
    assert_eq!(findings(open), ["3:9 SL0001  [:] malformed YAML: illegal placement of ':' indicator | "]);
    assert_eq!(findings("a: b\n  c: d\n").len(), 1);
    assert_eq!(findings("a: 'b\n").len(), 1);
    assert_eq!(findings("a: *b\n"), ["1:4 SL0001  [*] malformed YAML: while parsing node, found unknown anchor | "]);
}

#[test]
fn every_problem_of_the_shape_is_found_at_once() {
    let text = format!(
        "{HEAD}spec:\n  kafka: {{bootstrapServers: 9092}}\n  schemaRegistry: x\n  source:\n    topic: {{name: t, partitions: 0, \
         partitons: 3}}\n    schema: {{subject: no, compatibility: backward}}\n    eventId: a\n    watermark: {{delay: 5x}}\n    \
         watermark: {{delay: 5}}\n  quality:\n    rules:\n      name: a\n  windows: {{size: 5m}}\n  measures:\n"
    );
    assert_eq!(
        findings(&text),
        [
            "4:1 SL0003 spec [spec] missing field 'sink' | required are 'kafka', 'schemaRegistry', 'source', 'window', \
             'measures', 'sink'",
            "5:29 SL0004 spec.kafka.bootstrapServers [9092] expected a string, found the number 9092 | put it in quotes: \
             \"9092\"",
            "6:19 SL0004 spec.schemaRegistry [x] expected a mapping, found the string 'x' | allowed fields are 'url', \
             'credentialsSecretRef'",
            "7:3 SL0003 spec.source [source] missing field 'eventTime' | required are 'topic', 'schema', 'eventId', \
             'eventTime'",
            "8:34 SL0005 spec.source.topic.partitions [0] 0 is out of range | allowed is a whole number from 1 to 10000",
            "8:37 SL0002 spec.source.topic.partitons [partitons] unknown field 'partitons' | did you mean 'partitions'?",
            "9:23 SL0004 spec.source.schema.subject [no] expected a string, found the boolean 'no' | put it in quotes: \
             \"no\"",
            "9:42 SL0005 spec.source.schema.compatibility [backward] unknown value 'backward' | did you mean 'Backward'?",
            "12:5 SL0006 spec.source.watermark [watermark] field 'watermark' is there twice | keep one of them",
            "12:24 SL0005 spec.source.watermark.delay [5] invalid duration '5' | allowed is a whole number with a unit, \
             'ms', 's', 'm', 'h' or 'd', for example '90s'",
            "14:5 SL0004 spec.quality.rules [rules] expected a list, found a mapping | ",
            "16:3 SL0002 spec.windows [windows] unknown field 'windows' | did you mean 'window'?",
            "17:3 SL0004 spec.measures [measures] expected a list, found nothing | ",
        ]
    );
}

#[test]
fn aliases_are_followed_but_not_without_end() {
    let text =
        format!("{HEAD}spec: &s\n  kafka: {{bootstrapServers: &k 'a:1'}}\n  schemaRegistry: {{url: *k, x: 1}}\n");
    assert!(findings(&text).iter().any(|line| line.contains("unknown field 'x'")));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..8 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb = [bomb, format!("a{level}: &a{level} [{aliases}]\n")].concat();
    }
    let found = findings(&bomb);
    assert!(found[0].ends_with("malformed YAML: more than 100000 values, aliases resolved | "), "{found:?}");
}

#[test]
fn folded_text_is_located_by_its_letters() {
    let file = "a: >-\n  one\n  two three\n\n  four\nb: 'one\n  two'\n";
    let (documents, _) = tree::parse(file);
    let at = |key: &str, within: std::ops::Range<usize>| {
        let range = documents[0].locate(file, &plan::Path::of(key), Some(&within));
        (&file[range.clone()], range.start)
    };
    assert_eq!(at("a", 4..7), ("two", 14));
    assert_eq!(at("a", 14..18), ("four", 27));
    assert_eq!(at("b", 4..7), ("two", 42));
}

#[test]
fn a_scalar_that_cannot_be_read_hides_no_problem_of_meaning() {
    let quickstart = include_str!("../../../examples/revenue-5m.yaml");
    let edited = |edits: &[(&str, &str)]| {
        let text = edits.iter().fold(quickstart.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "'{from}' is not in the example");
            text.replacen(from, to, 1)
        });
        let codes = |line: String| line.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" ");
        findings(&text).into_iter().map(codes).collect::<Vec<_>>()
    };
    let meaning = [("sum(amount)", "sum(amunt)"), ("field: currency", "field: curency")];
    let expected = ["SL0203 spec.quality.rules[3].field", "SL0302 spec.measures[0].expression"];
    assert_eq!(edited(&meaning), expected);
    for (scalar, found) in [
        (("interval: 1m", "interval: 1 minute"), "SL0005 spec.quality.batch.interval"),
        (("delay: 10m", "delay: 10"), "SL0005 spec.source.watermark.delay"),
        (("size: 5m", "size: yes"), "SL0004 spec.window.size"),
        (("partitions: 3", "partitions: \"3\""), "SL0004 spec.source.topic.partitions"),
        (("eventTime: event_time", "eventTime: 5"), "SL0004 spec.source.eventTime"),
        (("onViolation: Report", "onViolation: report"), "SL0005 spec.quality.rules[5].onViolation"),
        (("{name: revenue-5m}", "{name: 5}"), "SL0004 metadata.name"),
        (("critical: 50000", "critical: high"), "SL0004 spec.quality.rules[2].threshold.critical"),
    ] {
        assert_eq!(edited(&[scalar]), [found], "alone");
        let mut both = edited(&[&[scalar][..], &meaning].concat());
        both.retain(|line| line != found);
        assert_eq!(both, expected, "beside {found}");
    }
}

#[test]
fn a_field_that_is_missing_hides_no_other_problem() {
    let quickstart = include_str!("../../../examples/revenue-5m.yaml");
    let Some(Document::Pipeline(pipeline)) = read(&Source::new("p.yaml", quickstart)).pop() else {
        panic!("a manifest")
    };
    let mut manifest = serde_json::to_value(&pipeline.manifest).expect("JSON");
    let faults = [
        ("/spec/window/size", serde_json::json!("5x"), "spec.window.size"),
        ("/spec/source/topic/partitions", serde_json::json!(0), "spec.source.topic.partitions"),
        ("/spec/quality/rules/3/field", serde_json::json!("curency"), "spec.quality.rules[3].field"),
        ("/spec/measures/0/expression", serde_json::json!("sum(amunt)"), "spec.measures[0].expression"),
        ("/spec/sink/path", serde_json::json!("s3://bucket"), "spec.sink.path"),
        ("/spec/kafka/bootstrapServers", serde_json::json!("kafka://k:9092"), "spec.kafka.bootstrapServers"),
    ];
    for (pointer, value, _) in &faults {
        *manifest.pointer_mut(pointer).expect("it is there") = value.clone();
    }
    let said = |manifest: &serde_json::Value| findings(&manifest.to_string());
    let about = |lines: &[String], path: &str| lines.iter().any(|line| line.split(' ').nth(2) == Some(path));
    let all = said(&manifest);
    assert!(faults.iter().all(|(_, _, path)| about(&all, path)) && all.len() == faults.len(), "{all:#?}");
    let required = [
        "/apiVersion",
        "/kind",
        "/metadata",
        "/metadata/name",
        "/spec/kafka",
        "/spec/kafka/bootstrapServers",
        "/spec/schemaRegistry",
        "/spec/schemaRegistry/url",
        "/spec/source",
        "/spec/source/topic",
        "/spec/source/topic/name",
        "/spec/source/schema",
        "/spec/source/schema/subject",
        "/spec/source/eventId",
        "/spec/source/eventTime",
        "/spec/window",
        "/spec/window/size",
        "/spec/measures",
        "/spec/measures/0/name",
        "/spec/measures/0/expression",
        "/spec/sink",
        "/spec/sink/path",
        "/spec/quality/rules/1/name",
    ];
    for missing in required {
        let (parent, key) = missing.rsplit_once('/').expect("a pointer");
        let mut without = manifest.clone();
        let node = without.pointer_mut(parent).and_then(serde_json::Value::as_object_mut).expect("a mapping");
        assert!(node.remove(key).is_some(), "{missing}");
        let found = said(&without);
        assert!(found.iter().any(|line| line.contains(&format!("missing field '{key}'"))), "{missing}: {found:#?}");
        // What needs the schema cannot be judged without it; what lay in the missing part is not there.
        let needs_schema = ["/spec/source", "/spec/source/schema"].contains(&missing);
        for (pointer, _, path) in &faults {
            let gone = pointer.starts_with(missing);
            let judged = !gone && !(needs_schema && (path.contains("rules") || path.contains("expression")));
            assert_eq!(
                about(&found, path),
                judged,
                "{missing} hides {path}, or it is told without being there: {found:#?}"
            );
        }
        let told = faults.iter().filter(|(_, _, path)| about(&found, path)).count();
        assert_eq!(found.len(), told + 1, "{missing} is the cause of something else: {found:#?}");
    }
}

/// Pointers to all scalars below a value.
fn scalars(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| scalars(value, &format!("{at}/{key}"), found));
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(key, value)| scalars(value, &format!("{at}/{key}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn what_stands_in_for_a_scalar_causes_no_problem_elsewhere() {
    let quickstart = include_str!("../../../examples/revenue-5m.yaml");
    let Some(Document::Pipeline(pipeline)) = read(&Source::new("p.yaml", quickstart)).pop() else {
        panic!("a manifest")
    };
    let manifest = serde_json::to_value(&pipeline.manifest).expect("JSON");
    let (mut pointers, mut wrong, mut tried) = (Vec::new(), Vec::new(), 0);
    scalars(&manifest, "", &mut pointers);
    for pointer in &pointers {
        for value in [serde_json::json!(true), serde_json::json!(5), serde_json::json!("5x"), serde_json::json!(-1)] {
            let mut manifest = manifest.clone();
            *manifest.pointer_mut(pointer).expect("it was found") = value.clone();
            let found = findings(&manifest.to_string());
            if found.iter().any(|line| line.contains(" SL0004 ") || line.contains(" SL0005 ")) {
                tried += 1;
                if found.len() != 1 {
                    wrong.push(format!("{pointer} is {value}: {found:#?}"));
                }
            }
        }
    }
    assert!(tried > 100 && wrong.is_empty(), "{tried} tried: {}", wrong.join("\n"));
}

#[test]
fn a_schema_that_is_no_text_is_told_how_to_be_one() {
    let text = format!("{HEAD}spec:\n  source:\n    schema: {{subject: s, avro: {{type: record}}}}\n");
    let found = findings(&text);
    let told = "6:26 SL0004 spec.source.schema.avro [avro] expected a string, found a mapping | write it as text: 'avro: |', and \
                the schema's JSON below, indented";
    assert!(found.iter().any(|found| found == told), "{found:?}");
}

#[test]
fn a_template_that_nobody_filled_in_is_told_as_one() {
    let told = "malformed YAML: '{{' begins a template's field: fill the template in first, for example with 'helm template' | ";
    let found = findings("metadata: {name: {{ .Release.Name }}}\n");
    assert!(found[0].ends_with(told), "{found:?}");
    let found = findings("metadata: {name: a, {b: c}: d}\n");
    assert!(found[0].ends_with("malformed YAML: a key is a list or a mapping: allowed is a name | "), "{found:?}");
}
