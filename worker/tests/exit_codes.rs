//! How `sluice-worker` ends when it cannot begin.

use std::process::{Command, Output};

fn worker(manifest: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pipeline.yaml");
    std::fs::write(&file, manifest).expect("writes");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-worker"));
    command.arg("--pipeline").arg(&file).args(["--name", "worker-0"]).output().expect("the binary runs")
}

#[test]
fn an_invalid_pipeline_ends_with_2_and_says_why() {
    let output =
        worker("apiVersion: sluice.dev/v1alpha1\nkind: AnalyticsPipeline\nmetadata: {name: x}\nspec: {kafak: {}}\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("kafak"), "{said}");
}

#[test]
fn a_pipeline_that_is_not_there_ends_with_2_and_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-worker"));
    let output =
        command.args(["--pipeline", "/nowhere/pipeline.yaml", "--name", "worker-0"]).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot read '/nowhere/pipeline.yaml'"), "{said}");
}
