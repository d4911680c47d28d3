//! What a real API server makes of the resource: which manifests and edits it refuses and with what words, what it fills in,
//! what it shows. The tables are the YAML files beside this one; the planner must judge every entry alike.
#![allow(clippy::unwrap_used)]

mod case;
mod choices;
mod shown;
mod starts;

use anyhow::{Result, ensure};
use reqwest::Method;
use schemas::spec::AnalyticsPipeline;
use serde_json::Value;
use tests::api_server::{ApiServer, Reply};

use case::{Case, baseline, cases};

/// Where pipelines are served.
const PIPELINES: &str = "/apis/sluice.dev/v1alpha1/namespaces/default/analyticspipelines";
/// Judge, but keep nothing; refuse unknown fields, as kubectl asks for.
const JUDGE: &str = "dryRun=All&fieldValidation=Strict";

/// An API server that knows the resource, as it lies in `crds/`.
fn server() -> Result<ApiServer> {
    let server = ApiServer::start()?;
    let definition = serde_saphyr::from_str(include_str!("../../../crds/analyticspipelines.sluice.dev.yaml"))?;
    server.define(&definition, PIPELINES)?;
    Ok(server)
}

/// Judges a manifest, or an edit if there is something to edit.
fn judge(server: &ApiServer, case: &Case) -> Result<Reply> {
    let Some(from) = &case.from else {
        return server.call(Method::POST, &format!("{PIPELINES}?{JUDGE}"), Some(&case.applied(&baseline())));
    };
    let from = Case::put(&baseline(), from);
    let name = from["metadata"]["name"].as_str().unwrap();
    let made = server.call(Method::POST, PIPELINES, Some(&from))?;
    ensure!(made.code == 201, "the manifest to edit is refused: {made:?}");
    let mut edited = case.applied(&from);
    edited["metadata"]["resourceVersion"] = made.body["metadata"]["resourceVersion"].clone();
    let reply = server.call(Method::PUT, &format!("{PIPELINES}/{name}?{JUDGE}"), Some(&edited));
    server.call(Method::DELETE, &format!("{PIPELINES}/{name}"), None)?;
    reply
}

/// What the planner makes of a manifest.
fn planned(manifest: Value) -> Result<(), String> {
    let pipeline: AnalyticsPipeline = serde_json::from_value(manifest).map_err(|error| error.to_string())?;
    plan::Plan::compile(&pipeline).map(drop).map_err(|problems| problems.to_string())
}

fn message(reply: &Reply) -> &str {
    reply.body["message"].as_str().unwrap_or_default()
}

fn all_refused(server: &ApiServer, table: &str, edits: bool) -> Result<()> {
    let mut wrong = Vec::new();
    for mut case in cases(table)? {
        case.from = edits.then(|| case.from.take().unwrap_or_default());
        let reply = judge(server, &case)?;
        println!("{case}\n  {} {}", reply.code, message(&reply));
        if !matches!(reply.code, 400 | 422) || !message(&reply).contains(&case.says) {
            wrong.push(format!("{case}\n  said     {} {}\n  expected {}", reply.code, message(&reply), case.says));
        }
        if !edits && planned(case.applied(&baseline())).is_ok() {
            wrong.push(format!("{case}\n  the planner takes it"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
#[ignore = "needs servers: make test"]
fn what_is_refused_is_refused_with_words_that_say_what_is_allowed() -> Result<()> {
    let server = server()?;
    all_refused(&server, include_str!("refused.yaml"), false)?;
    all_refused(&server, include_str!("edits.yaml"), true)
}

#[test]
#[ignore = "needs servers: make test"]
fn what_is_at_the_edge_is_taken_and_filled_in_as_on_a_laptop() -> Result<()> {
    let server = server()?;
    let mut wrong = Vec::new();
    for case in cases(include_str!("accepted.yaml"))? {
        let manifest = case.applied(&case.from.as_ref().map_or_else(baseline, |from| Case::put(&baseline(), from)));
        let reply = judge(&server, &case)?;
        if !matches!(reply.code, 200 | 201) || !reply.warnings.is_empty() {
            wrong.push(format!(
                "{case}\n  is refused or warned of: {} {} {:?}",
                reply.code,
                message(&reply),
                reply.warnings
            ));
            continue;
        }
        if let Err(problems) = planned(manifest.clone()) {
            wrong.push(format!("{case}\n  the planner refuses it: {problems}"));
        }
        let read: AnalyticsPipeline = serde_json::from_value(manifest)?;
        let filled: schemas::spec::AnalyticsPipelineSpec = serde_json::from_value(reply.body["spec"].clone())?;
        if read.spec != filled {
            wrong.push(format!("{case}\n  is filled in otherwise: {filled:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_tables_hold_enough_and_every_refusal_once() {
    for (table, least) in [(include_str!("refused.yaml"), 40), (include_str!("edits.yaml"), 15)] {
        let cases = cases(table).expect("the table reads");
        let mut shown: Vec<String> = cases.iter().map(ToString::to_string).collect();
        shown.sort();
        shown.dedup();
        assert!(shown.len() >= least && shown.len() == cases.len());
        assert!(cases.iter().all(|case| !case.says.is_empty()));
    }
}
