//! `sluice dev` on a Kafka and a registry that others use as well: nothing of theirs is touched. The embedded servers play the shared
//! ones.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use cli::dev::broker::Broker;
use cli::dev::registry::Registry;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::groups::GroupInfo;

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/revenue-5m.yaml");

struct Shared {
    broker: Broker,
    registry: Registry,
    folder: tempfile::TempDir,
}

impl Shared {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(folder.path()).expect("a broker");
        Self { broker, registry: Registry::start().expect("a registry"), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sluice(&self, user: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.current_dir(self.folder.path()).env("USER", user).args(args);
        let servers = ["--kafka", &self.broker.bootstrap_servers(), "--registry", &self.registry.url()];
        command.args(servers).output().expect("the binary runs")
    }

    /// A bounded run that must end with `code`; what it said on both outputs.
    fn bounded(&self, user: &str, manifest: &str, more: &[&str], code: i32) -> String {
        let run = self.sluice(user, &[&["dev", manifest, "--bounded", "--plain"], more].concat());
        let said = format!("{}{}", text(&run.stdout), text(&run.stderr));
        assert_eq!(run.status.code(), Some(code), "{more:?}: {said}");
        said
    }

    fn generate(&self, count: &str, seed: &str) {
        let run = self.sluice("producer", &["generate", "--count", count, "--seed", seed]);
        assert!(run.status.success(), "{}", text(&run.stderr));
    }

    fn groups(&self) -> Vec<String> {
        let asker: BaseConsumer = self.client().create().expect("a client");
        let groups = asker.fetch_group_list(None, Duration::from_secs(10)).expect("an answer");
        groups.groups().iter().map(|group: &GroupInfo| group.name().to_owned()).collect()
    }

    fn topics(&self) -> Vec<String> {
        let asker: BaseConsumer = self.client().create().expect("a client");
        let metadata = asker.fetch_metadata(None, Duration::from_secs(10)).expect("an answer");
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.bootstrap_servers());
        config
    }

    fn counted(&self, data: &str) -> String {
        let sql = "select count(*) as rows, sum(event_count) as events, sum(revenue) as revenue from gold";
        let args = ["query", "--data", data, "-o", "csv", sql];
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        text(&command.current_dir(self.folder.path()).args(args).output().expect("the binary runs").stdout)
    }

    fn versions(&self) -> String {
        let url = format!("{}/subjects/sales.events.v1-value/versions", self.registry.url());
        reqwest::blocking::get(url).and_then(reqwest::blocking::Response::text).expect("an answer")
    }

    /// The quickstart with pieces replaced, as a file.
    fn manifest(&self, name: &str, edits: &[(&str, &str)]) -> String {
        let text = std::fs::read_to_string(QUICKSTART).expect("the quickstart");
        let text = edits.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "'{from}' is not in the example");
            text.replacen(from, to, 1)
        });
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_laptop_has_a_group_and_topics_of_its_own_and_says_that_windows_are_closed() {
    let shared = Shared::start();
    shared.generate("3000", "1");
    let said = shared.bounded("Ada.L", QUICKSTART, &["--data", "ada"], 0);
    assert!(
        said.contains("dead letters of its own: 'revenue-5m-dev-ada-l'") && said.contains("--leave-open"),
        "{said}"
    );
    assert!(
        shared.groups().iter().all(|group| group != "revenue-5m" && group != "revenue-5m.publish"),
        "{:?}",
        shared.groups()
    );
    let of_the_pipeline = ["revenue-5m.partials.v1", "sales.events.dlq.v1"];
    assert!(shared.topics().iter().all(|topic| !of_the_pipeline.contains(&topic.as_str())), "{:?}", shared.topics());
    // More of the same time comes too late for closed windows, which is said. There are too few of them for the guard of dead letters.
    shared.generate("900", "2");
    let said = shared.bounded("Ada.L", QUICKSTART, &["--data", "ada"], 0);
    assert!(said.contains("records were late: a bounded run closes every window for good"), "{said}");
    // Somebody else begins at the beginning, and sees what there is.
    let seen = shared.sluice("Ada.L", &["status", QUICKSTART, "--dev"]);
    assert!(
        seen.status.success() && text(&seen.stdout).contains("Idle"),
        "{}{}",
        text(&seen.stdout),
        text(&seen.stderr)
    );
    let nobody = shared.sluice("Ada.L", &["status", QUICKSTART]);
    let (nobody, error) = (text(&nobody.stdout), text(&nobody.stderr));
    assert!(
        !nobody.contains(" Advancing ") && nobody.contains("which nobody reads, has stood at offset 0"),
        "{nobody}{error}"
    );
    let window = ["explain", "window", QUICKSTART, "2026-11-23T10:15:00Z"];
    let unbegun = text(&shared.sluice("Ada.L", &window).stdout);
    assert!(!unbegun.contains("is published") && unbegun.contains("nothing is committed"), "{unbegun}");
}

#[test]
fn windows_that_are_left_open_are_those_of_one_run_over_everything() {
    let shared = Shared::start();
    // Too few for the guard of dead letters, as many are late.
    shared.generate("900", "1");
    let said = shared.bounded("bob", QUICKSTART, &["--data", "bob", "--leave-open"], 0);
    assert!(said.contains("windows that are open stay open"), "{said}");
    shared.generate("900", "2");
    shared.bounded("bob", QUICKSTART, &["--data", "bob", "--leave-open"], 0);
    shared.bounded("bob", QUICKSTART, &["--data", "bob"], 0);
    shared.bounded("eve", QUICKSTART, &["--data", "eve"], 0);
    assert_eq!(shared.counted("bob"), shared.counted("eve"));
    assert!(shared.counted("eve").lines().count() == 2, "{}", shared.counted("eve"));
}

#[test]
fn the_pipeline_itself_is_taken_over_only_while_nobody_reads_it_and_its_windows_stay_open() {
    let shared = Shared::start();
    shared.generate("1000", "1");
    let member: BaseConsumer =
        shared.client().set("group.id", "revenue-5m").set("client.id", "production").create().expect("a client");
    member.subscribe(&["sales.events.v1"]).expect("subscribes");
    let deadline = Instant::now() + Duration::from_secs(30);
    while member.assignment().expect("known").count() == 0 {
        assert!(Instant::now() < deadline, "the member gets no partitions");
        drop(member.poll(Duration::from_millis(50)));
    }
    let take_over = ["--take-over", "--data", "taken"];
    let said = shared.bounded("ada", QUICKSTART, &take_over, 1);
    assert!(
        said.contains("consumer group 'revenue-5m' has members (") && said.contains("before --take-over"),
        "{said}"
    );
    drop(member);
    let said = shared.bounded("ada", QUICKSTART, &take_over, 0);
    assert!(
        said.contains("reads on as the pipeline itself") && said.contains("windows that are open stay open"),
        "{said}"
    );
    assert!(shared.topics().iter().any(|topic| topic == "revenue-5m.partials.v1"), "{:?}", shared.topics());
}

#[test]
fn topic_and_manifest_that_disagree_about_partitions_are_told_at_once() {
    let shared = Shared::start();
    shared.generate("100", "1");
    for (said, more) in [(2, ""), (4, ", or give the topic more")] {
        let manifest = shared.manifest("p.yaml", &[("partitions: 3", &format!("partitions: {said}"))]);
        let begun = Instant::now();
        let told = shared.bounded("ada", &manifest, &["--data", "p"], 1);
        let words = format!(
            "topic 'sales.events.v1' has 3 partitions, the manifest says {said}: write 'partitions: 3' in 'spec.source.topic'{more}"
        );
        assert!(told.contains(&words), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
        let status = shared.sluice("ada", &["status", &manifest, "--dev"]);
        let (out, err) = (text(&status.stdout), text(&status.stderr));
        assert!(out.contains("TopicDrift") && status.status.success(), "{out}{err}");
    }
}

#[test]
fn a_reader_schema_does_not_become_the_latest_version_of_a_subject_that_others_filled() {
    let shared = Shared::start();
    shared.generate("500", "1");
    assert_eq!(shared.versions(), "[1]");
    let field = r#"            {"name": "event_type", "type": "string"},
"#;
    let fewer = shared.manifest("fewer.yaml", &[(field, "")]);
    shared.bounded("ada", &fewer, &["--data", "fewer"], 0);
    assert_eq!(shared.versions(), "[1]", "it reads, and leaves the subject as it is");
    let never =
        shared.manifest("never.yaml", &[(field, ""), ("      subject:", "      register: Never\n      subject:")]);
    shared.bounded("bob", &never, &["--data", "never"], 0);
    assert_eq!(shared.versions(), "[1]");
    let other = shared.manifest(
        "other.yaml",
        &[
            (r#"{"name": "event_type", "type": "string"}"#, r#"{"name": "event_type", "type": "long"}"#),
            ("groupBy: [region", "groupBy: [event_type"),
        ],
    );
    let told = shared.bounded("eve", &other, &["--data", "other"], 1);
    let words = "the schema cannot read version 1 of subject 'sales.events.v1-value' at path '/event_type'";
    assert!(told.contains(words), "{told}");
    let always =
        shared.manifest("always.yaml", &[(field, ""), ("      subject:", "      register: Always\n      subject:")]);
    shared.bounded("zoe", &always, &["--data", "always"], 0);
    assert_eq!(shared.versions(), "[1,2]");
}
