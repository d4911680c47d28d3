//! Whatever `validate` accepts, a worker starts: its programs, clients and sink are made by the set-up code of the worker itself. No server
//! answers; being away is no reason not to start.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use plan::Plan;
use proptest::prelude::*;
use proptest::sample::Index;
use schemas::spec::AnalyticsPipeline;
use serde_json::Value;
use worker::{Config, Worker, secrets};

use super::case::{Case, Change, baseline, cases};
use super::choices::choices;

/// How many workers are started at once.
const AT_ONCE: usize = 8;

/// Why the worker does not start with a manifest that `validate` accepts; nothing for one that it refuses.
fn refused_by_the_worker(manifest: &Value, secrets: &Path) -> Option<String> {
    let pipeline: AnalyticsPipeline = serde_json::from_value(manifest.clone()).ok()?;
    let mut plan = Plan::compile(&pipeline).ok()?;
    let needs = pipeline.spec.kafka.security.as_ref().is_some_and(|it| it.credentials_secret_ref.is_some());
    if needs && let Err(error) = secrets::give(&mut plan, secrets) {
        return Some(error.to_string());
    }
    match Worker::start(Config::new(Arc::new(plan), "worker-0")) {
        Ok(worker) => {
            let ended = worker.is_ended();
            worker.request_stop();
            let error = worker.join().err().map(|error| error.to_string());
            error.or_else(|| ended.then(|| "it ended by itself".to_owned()))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// The credentials that an operator would mount.
fn mounted() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["kafka", "registry"] {
        fs::create_dir(folder.path().join(part)).unwrap();
        fs::write(folder.path().join(part).join("username"), "user@x").unwrap();
        fs::write(folder.path().join(part).join("password"), "p/w:@").unwrap();
    }
    folder
}

/// The manifests that the worker refuses, with why. A worker takes a while to end, so all are started at once.
fn refused<'a, T: Sync>(manifests: &'a [(T, Value)], secrets: &Path) -> Vec<(&'a T, String)> {
    thread::scope(|scope| {
        let start = |(from, manifest): &'a (T, Value)| {
            scope.spawn(move || Some((from, refused_by_the_worker(manifest, secrets)?)))
        };
        let started: Vec<_> = manifests.iter().map(start).collect();
        started.into_iter().filter_map(|started| started.join().unwrap()).collect()
    })
}

#[test]
fn every_manifest_of_the_accepted_tables_is_started() {
    let secrets = mounted();
    let table = cases(include_str!("accepted.yaml")).unwrap().into_iter().map(|case| {
        let manifest = case.applied(&case.from.as_ref().map_or_else(baseline, |from| Case::put(&baseline(), from)));
        (case.to_string(), manifest)
    });
    let table: Vec<(String, Value)> = table.collect();
    for some in table.chunks(AT_ONCE) {
        let wrong = refused(some, secrets.path());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    assert!(table.len() > 20, "{} tried", table.len());
}

/// The changes of one manifest.
fn edits() -> impl Strategy<Value = Vec<(Index, Index)>> {
    proptest::collection::vec((any::<Index>(), any::<Index>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // 64 manifests where nothing is said.
        cases: ProptestConfig::default().cases.div_ceil(4 * AT_ONCE as u32),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_generated_manifest_that_validate_accepts_is_started(some in proptest::collection::vec(edits(), AT_ONCE)) {
        let (choices, secrets) = (choices(), mounted());
        let manifests: Vec<(Change, Value)> = some
            .iter()
            .map(|edits| {
                let mut change = Change::new();
                for (place, value) in edits {
                    let (pointer, values) = &choices[place.index(choices.len())];
                    change.insert((*pointer).to_owned(), values[value.index(values.len())].clone());
                }
                let manifest = Case::put(&baseline(), &change);
                (change, manifest)
            })
            .collect();
        let wrong = refused(&manifests, secrets.path());
        prop_assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
