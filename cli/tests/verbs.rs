//! The binary as a person uses it: what it prints and how it exits.

use std::path::Path;
use std::process::{Command, Output};

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/revenue-5m.yaml");

fn sluice(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.current_dir(folder).env_remove("SLUICE_DATA").args(args).output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn a_generated_run_equals_its_truth_and_can_be_queried() {
    let folder = tempfile::tempdir().expect("a folder");
    let dev = ["dev", QUICKSTART, "--generate", "20000", "--bounded", "--workers", "2", "--truth", "truth"];
    let run = sluice(folder.path(), &dev);
    assert_eq!(run.status.code(), Some(0), "{}{}", out(&run), err(&run));
    let summary = out(&run);
    assert!(summary.contains("balanced: 20,000 consumed = "), "{summary}");
    assert!(summary.contains("Truth: gold equals the truth to the cent: 74 windows"), "{summary}");
    let sql =
        "select sum(consumed) as consumed, (select sum(event_count) from gold) = sum(counted) as same from dq_metrics";
    let query = sluice(folder.path(), &["query", "-o", "csv", sql]);
    assert_eq!(
        (out(&query).as_str(), query.status.code()),
        ("consumed,same\n20000,true\n", Some(0)),
        "{}",
        err(&query)
    );
    let truth = std::fs::read_to_string(folder.path().join("truth/truth.json")).expect("a truth");
    assert!(truth.contains("\"consumed\": 20000"), "{truth}");
    let again = sluice(folder.path(), &dev);
    assert_eq!(again.status.code(), Some(1));
    assert!(err(&again).contains("holds tables of an earlier run"), "{}", err(&again));
}

#[test]
fn the_definition_is_printed_as_it_lies_in_the_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = sluice(folder.path(), &["crd"]);
    assert_eq!((out(&printed).as_str(), printed.status.code()), (cli::crd::DEFINITION, Some(0)));
    assert!(cli::crd::DEFINITION.contains("\nkind: CustomResourceDefinition\n"));
}

#[test]
fn wrong_usage_and_wrong_manifests_have_their_exit_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("bad.yaml");
    let quickstart = std::fs::read_to_string(QUICKSTART).expect("the quickstart");
    std::fs::write(&bad, quickstart.replace("sum(amount)", "sum(region)")).expect("a file");
    std::fs::write(folder.path().join("other.yaml"), quickstart.replace("SalesEvent", "Rating")).expect("a file");
    let nobody = ["generate", "--kafka", "127.0.0.1:1", "--registry", "http://127.0.0.1:1"];
    let window = "2026-11-23T10:17:00Z";
    for (args, code, told) in [
        (vec!["validate", QUICKSTART], 0, ""),
        (vec!["validate", "bad.yaml"], 1, ""),
        (vec!["validate"], 2, "<FILE>"),
        (vec!["dev", "missing.yaml"], 1, "sluice: cannot read 'missing.yaml'"),
        (vec!["dev", QUICKSTART, "--take-over"], 2, "--kafka <ADDR>"),
        (vec!["dev", QUICKSTART, "--kafka", "k:1", "--registry", "http://r", "--take-over"], 2, "--data <DIR>"),
        (vec!["dev", QUICKSTART, "--leave-open"], 2, "--bounded"),
        (vec!["dev", "other.yaml", "--generate", "10", "--bounded"], 1, "--generate makes sample events"),
        (nobody.to_vec(), 1, "sluice: cannot reach the schema registry at 'http://127.0.0.1:1"),
        (vec!["generate"], 2, "--kafka <ADDR>"),
        (vec!["query", "--nothing"], 2, "--nothing"),
        (vec!["crd"], 0, ""),
        (vec!["completion", "bash"], 0, ""),
        (vec!["completion", "cobol"], 2, "cobol"),
        (vec!["dlq", "list", "missing.yaml"], 1, "sluice: cannot read 'missing.yaml'"),
        (vec!["dlq", "show", QUICKSTART], 2, "<RECORD>"),
        (vec!["quality", "try", "bad.yaml"], 1, "sluice: 'bad.yaml' has problems"),
        (vec!["quality", "try", QUICKSTART, "--last", "soon"], 2, "soon"),
        (vec!["status", "bad.yaml"], 1, "sluice: 'bad.yaml' has problems"),
        (vec!["status"], 2, "<FILE>"),
        (vec!["explain", "window", "bad.yaml", window], 1, "sluice: 'bad.yaml' has problems"),
        (vec!["explain", "window", QUICKSTART, "noon"], 2, "noon"),
        (vec!["verify", "bad.yaml"], 1, "sluice: 'bad.yaml' has problems"),
        (vec!["verify", QUICKSTART, "--since", "noon"], 2, "noon"),
        (vec!["dev", "bad.yaml"], 1, "sluice: 'bad.yaml' has problems"),
        (vec!["dev", QUICKSTART, "--kafka", "k:9092"], 2, "--registry <URL>"),
        (vec!["dev", QUICKSTART, "--bounded", "--workers", "4"], 1, "4 replicas for 3 partitions"),
        (vec!["validate", "missing.yaml"], 2, "sluice: cannot read 'missing.yaml': No such file or directory"),
        (vec!["query", "--data", "empty"], 1, "sluice: the store 'empty' holds no tables yet"),
        (vec!["nothing"], 2, "unrecognized subcommand"),
    ] {
        let output = sluice(folder.path(), &args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(told), "{args:?}: {}", err(&output));
    }
}

#[test]
fn the_table_of_exit_codes_has_every_verb() {
    let table = include_str!("../../docs/reference/exit-codes.md");
    let help = out(&sluice(Path::new("."), &["--help"]));
    let (_, verbs) = help.split_once("Commands:\n").expect("a list of verbs");
    let verbs = verbs.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let missing: Vec<&str> = verbs
        .filter(|verb| {
            *verb != "help" && !table.contains(&format!("`{verb}")) && !table.contains(&format!("sluice {verb}"))
        })
        .collect();
    assert!(missing.is_empty() && help.contains("validate"), "{missing:?} of {help}");
}

#[test]
fn completion_knows_the_verbs() {
    let output = sluice(Path::new("."), &["completion", "bash"]);
    assert!(["dev", "validate", "generate", "query"].iter().all(|verb| out(&output).contains(verb)));
}
