//! `sluice dev` with servers that are not there: said in time, not a hang.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use cli::dev::broker::Broker;

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/revenue-5m.yaml");

/// A run that waits for a second; what it says, and that it does not take long to say it.
fn dev(kafka: &str, registry: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.current_dir(folder.path()).env_remove("RUST_LOG").args(["dev", QUICKSTART, "--bounded", "--wait", "1"]);
    let output = command.args(["--kafka", kafka, "--registry", registry]).output().expect("the binary runs");
    assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
    output
}

fn told(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let output = dev("127.0.0.1:1", "http://127.0.0.1:1");
    let why = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
    let expected = format!(
        "waiting for the broker at '127.0.0.1:1', at most 1 s: {why}\n\
         sluice: cannot reach the broker at '127.0.0.1:1': {why}\n"
    );
    assert_eq!(told(&output), expected);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
}

#[test]
fn a_registry_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path()).expect("a broker");
    let output = dev(&broker.bootstrap_servers(), "http://127.0.0.1:1");
    let why = "Connection refused (os error 111)";
    let expected = format!(
        "waiting for the schema registry at 'http://127.0.0.1:1', at most 1 s: {why}\n\
         sluice: cannot reach the schema registry at 'http://127.0.0.1:1': {why}\n"
    );
    assert_eq!(told(&output), expected);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
}

#[test]
fn servers_that_take_connections_and_do_not_answer_are_not_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let output = dev(&address, "http://127.0.0.1:1");
    let last = told(&output).lines().last().expect("it says something");
    assert!(last.starts_with(&format!("sluice: cannot reach the broker at '{address}': ")), "{}", told(&output));
    assert_eq!(output.status.code(), Some(1));
}
