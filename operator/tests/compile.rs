//! The process that compiles manifests: what is too large costs that process and is told, and the next manifest is judged as ever.
#![allow(clippy::unwrap_used)]

use operator::compile::{Compiler, Limits};
use plan::Outline;
use schemas::spec::AnalyticsPipeline;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sluice-operator");

fn example() -> AnalyticsPipeline {
    serde_saphyr::from_str(include_str!("../../examples/revenue-5m.yaml")).unwrap()
}

/// The example with another value at `pointer`.
fn with(pointer: &str, value: &Value) -> AnalyticsPipeline {
    let mut manifest = serde_json::to_value(example()).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    manifest.pointer_mut(parent).unwrap()[key] = value.clone();
    serde_json::from_value(manifest).unwrap()
}

async fn judged(compiler: &Compiler, manifest: &AnalyticsPipeline) -> Result<Outline, String> {
    compiler.compile(manifest).await.unwrap()
}

/// A sound manifest that is large: every measure compares with so many texts.
fn large(texts: usize) -> AnalyticsPipeline {
    let texts: Vec<String> = (0..texts).map(|n| format!("'{n}'")).collect();
    let measure = |n| {
        let expression = format!("count(*) filter (where region in ({}) and event_type <> '{n}')", texts.join(","));
        json!({"name": format!("m{n}"), "expression": expression})
    };
    with("/spec/measures", &json!((0..64).map(measure).collect::<Vec<Value>>()))
}

#[tokio::test]
async fn it_says_what_this_process_would_say() {
    let (apart, here) = (Compiler::apart(PROGRAM.into(), Limits::default()), Compiler::default());
    let manifests = [example(), with("/spec/revision", &json!(7)), with("/spec/source/eventTime", &json!("nothing"))];
    for manifest in &manifests {
        // Twice: the second answer is remembered.
        for _ in 0..2 {
            assert_eq!(judged(&apart, manifest).await, judged(&here, manifest).await);
        }
    }
    assert!(judged(&apart, &manifests[2]).await.is_err());
}

#[tokio::test]
async fn what_takes_too_much_is_refused_and_the_next_is_judged() {
    let large = large(400);
    let mut too_much = None;
    for memory_mib in (8..128).step_by(4) {
        let compiler = Compiler::apart(PROGRAM.into(), Limits { memory_mib, ..Limits::default() });
        if judged(&compiler, &example()).await.is_err() {
            continue;
        }
        let verdict = judged(&compiler, &large).await;
        assert!(judged(&compiler, &with("/spec/revision", &json!(2))).await.is_ok(), "the one after it");
        match verdict {
            Err(said) => too_much = Some((memory_mib, said)),
            Ok(_) => break,
        }
    }
    let (memory_mib, said) = too_much.expect("more than the example takes, and less than the large one");
    assert!(said.contains(&format!("more than {memory_mib} MiB of memory")), "{said}");
    assert!(judged(&Compiler::apart(PROGRAM.into(), Limits::default()), &large).await.is_ok(), "it is sound");
}

#[tokio::test]
async fn what_takes_too_long_is_refused_and_the_next_is_judged() {
    let compiler = Compiler::apart(PROGRAM.into(), Limits { processor_s: 1, ..Limits::default() });
    let rule =
        |n| json!({"name": format!("r{n}"), "field": "region", "matches": format!("^[\\pL\\pN]{{{}}}$", 600 + n)});
    let slow = with("/spec/quality/rules", &json!((0..64).map(rule).collect::<Vec<Value>>()));
    assert!(judged(&compiler, &example()).await.is_ok());
    let said = judged(&compiler, &slow).await.unwrap_err();
    assert!(said.contains("more than 1 s of processor time"), "{said}");
    assert!(judged(&compiler, &with("/spec/revision", &json!(2))).await.is_ok(), "the one after it");
}

/// Each of these once ended the operator, or took all of its memory.
#[tokio::test]
async fn hostile_manifests_are_answered_and_good_ones_go_on() {
    // The example's schema and one more field.
    let record = |field: &str| {
        let schema = example().spec.source.schema.avro.unwrap();
        let end = schema.rfind(']').unwrap();
        with("/spec/source/schema/avro", &json!(format!("{}{field}{}", &schema[..end], &schema[end..])))
    };
    // Each type holds the one before.
    let chain: Vec<String> = (0..4_000)
        .map(|n| {
            let held = if n == 0 { "int".to_owned() } else { format!("C{}", n - 1) };
            let held = format!(r#"{{"type":"record","name":"C{n}","fields":[{{"name":"f","type":"{held}"}}]}}"#);
            format!(r#",{{"name":"c{n}","type":{held}}}"#)
        })
        .collect();
    // Each type holds the one before ten times.
    let bomb: Vec<String> = (0..9)
        .map(|level| {
            let held = if level == 0 { "int".to_owned() } else { format!("B{}", level - 1) };
            let fields: Vec<String> = (0..10).map(|n| format!(r#"{{"name":"f{n}","type":"{held}"}}"#)).collect();
            let held = format!(r#"{{"type":"record","name":"B{level}","fields":[{}]}}"#, fields.join(","));
            format!(r#",{{"name":"b{level}","type":{held}}}"#)
        })
        .collect();
    let folded = format!(
        "count(*) filter (where {} = 'x')",
        (0..12).fold("'aaaaaaaaaa'".to_owned(), |text, _| format!("replace({text}, 'a', 'aaaaaaaaaa')"))
    );
    let hostile = [
        ("an empty union", record(r#",{"name":"u","type":[]}"#)),
        ("a fixed of 2 GB", record(r#",{"name":"x","type":{"type":"fixed","name":"F","size":2147483647}}"#)),
        ("a chain of types", record(&chain.concat())),
        ("a schema bomb", record(&bomb.concat())),
        ("a folded replace", with("/spec/measures", &json!([{"name": "m", "expression": folded}]))),
    ];
    let compiler = Compiler::apart(PROGRAM.into(), Limits::default());
    for (what, manifest) in hostile {
        let verdict = compiler.compile(&manifest).await;
        println!(
            "{what}: {}",
            match &verdict {
                Ok(Ok(_)) => "taken".to_owned(),
                Ok(Err(words)) => words.clone(),
                Err(error) => error.to_string(),
            }
        );
        assert!(verdict.is_ok(), "{what}: {verdict:?}");
        assert!(judged(&compiler, &example()).await.is_ok(), "after {what}");
    }
}
