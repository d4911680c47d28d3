//! Which pipeline runs, with what changed, and in which folder.

use std::path::Path;

use clap::Parser;

use crate::dev::pipeline::{Addresses, choose, localise};
use crate::dev::{DevArgs, store_folder};
use crate::manifest::Source;
use crate::validate::Checked;

const QUICKSTART: &str = include_str!("../../../../examples/revenue-5m.yaml");

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    dev: DevArgs,
}

fn args(line: &[&str]) -> DevArgs {
    Line::parse_from(["dev", "p.yaml"].iter().chain(line)).dev
}

fn chosen(text: &str, name: Option<&str>) -> Result<String, String> {
    let checked = Checked::new(Source::new("p.yaml", text));
    choose(checked, name).map(|pipeline| pipeline.plan.name).map_err(|error| error.to_string())
}

#[test]
fn a_pipeline_is_chosen_or_the_choice_is_told() {
    let two = format!("{QUICKSTART}---\n{}", QUICKSTART.replace("revenue-5m", "second"));
    assert_eq!(chosen(QUICKSTART, None), Ok("revenue-5m".to_owned()));
    assert_eq!(chosen(&two, Some("second")), Ok("second".to_owned()));
    let several = "choose a pipeline of 'p.yaml' with --pipeline; allowed: 'revenue-5m', 'second'";
    assert_eq!(chosen(&two, None), Err(several.to_owned()));
    assert_eq!(chosen(&two, Some("third")), Err(several.to_owned()));
    assert_eq!(chosen("kind: Pod\napiVersion: v1\n", None), Err("'p.yaml' has no AnalyticsPipeline".to_owned()));
    assert_eq!(chosen("a: [", None), Err("'p.yaml' has problems".to_owned()));
}

#[test]
fn only_addresses_change() {
    let text = QUICKSTART.replace("partitions: 3}", "partitions: 3, replicationFactor: 3}");
    let checked = Checked::new(Source::new("p.yaml", text));
    let pipeline = choose(checked, None).expect("one pipeline");
    let local = |embedded| {
        let at = Addresses { kafka: "127.0.0.1:1", registry: "http://127.0.0.1:2", embedded };
        localise(pipeline.manifest.clone(), &args(&["--workers", "2"]), at, Path::new("/tmp/tables")).expect("fits")
    };
    let plan = local(true);
    assert_eq!((plan.kafka.bootstrap.as_str(), plan.registry_url.as_str()), ("127.0.0.1:1", "http://127.0.0.1:2"));
    assert_eq!(plan.sink.folder, "/tmp/tables");
    assert_eq!(plan.topics[0].replication_factor, None, "one broker keeps one copy");
    assert_eq!(local(false).topics[0].replication_factor, Some(3));
    let fingerprints = |plan: &plan::Plan| plan.rules.iter().map(|rule| rule.fingerprint.clone()).collect::<Vec<_>>();
    assert_eq!(fingerprints(&plan), fingerprints(&pipeline.plan));
}

#[test]
fn a_laptop_keeps_apart_from_the_pipeline_on_a_kafka_that_others_use() {
    let checked = Checked::new(Source::new("p.yaml", QUICKSTART));
    let pipeline = choose(checked, None).expect("one pipeline");
    let plan = |line: &[&str], embedded: bool| {
        let at = Addresses { kafka: "127.0.0.1:1", registry: "http://me:p%40w@127.0.0.1:2/", embedded };
        let line = [&["--kafka", "127.0.0.1:1", "--registry", "http://r", "--data", "d"], line].concat();
        let line = if embedded { Vec::new() } else { line };
        localise(pipeline.manifest.clone(), &args(&line), at, Path::new("/tmp/../t%20")).expect("fits")
    };
    let own = plan(&[], false);
    assert!(own.group.starts_with("revenue-5m-dev-") && own.partials_topic.starts_with(&own.group));
    assert_eq!(own.registry_url, "http://me:p%40w@127.0.0.1:2", "a laptop has no secrets to name");
    assert_eq!(own.sink.folder, "/tmp/../t%20", "any folder that the shell can name");
    let taken = plan(&["--take-over"], false);
    assert_eq!((taken.group.as_str(), taken.partials_topic.as_str()), ("revenue-5m", "revenue-5m.partials.v1"));
    assert_eq!(plan(&[], true).group, "revenue-5m", "an embedded broker is nobody else's");
}

#[test]
fn tables_of_an_earlier_log_are_not_mixed_with_a_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("text");
    let made = store_folder::prepare(&args(&["--data", data]), "p").expect("made");
    let old = made.join("gold/p");
    std::fs::create_dir_all(&old).expect("a folder");
    let refused = store_folder::prepare(&args(&["--data", data]), "p").expect_err("old tables").to_string();
    assert_eq!(
        refused,
        format!(
            "'{}' holds tables of an earlier run, but the embedded broker starts empty: remove them with --fresh, or name another \
             folder with --data",
            old.display()
        )
    );
    let real = args(&["--data", data, "--kafka", "k:1", "--registry", "http://r"]);
    assert!(store_folder::prepare(&real, "p").is_ok() && old.exists(), "a real log goes on where it was");
    assert!(store_folder::prepare(&args(&["--data", data, "--fresh"]), "p").is_ok() && !old.exists());
}
