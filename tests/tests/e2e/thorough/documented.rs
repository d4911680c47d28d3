//! What the pages tell a new user to type, typed: every command of them that is about a cluster, in their order, with nothing
//! replaced but the addresses, and the place of a dead letter by one that is there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::cluster::{SYSTEM, output, root};
use crate::images::binaries;
use crate::steps::{Steps, until};
use crate::world::{PATIENCE, World};

#[test]
#[ignore = "needs a cluster: make test"]
fn what_the_pages_say_can_be_typed() -> Result<()> {
    let world = World::start("documented")?;
    let reader = Reader::sit_down(&world)?;
    let result = reader.read();
    // The last page took everything away, which other tests need.
    let again = world.cluster.install(&world.cluster.images.tag);
    world.told(result.and(again))
}

/// A new user: in a folder as `make build` leaves a clone, with `kubectl` in the test's namespace.
struct Reader<'a> {
    world: &'a World,
    folder: PathBuf,
    kubeconfig: PathBuf,
}

impl<'a> Reader<'a> {
    fn sit_down(world: &'a World) -> Result<Self> {
        let folder = world.path("clone");
        fs::create_dir(&folder)?;
        symlink(binaries()?, folder.join("bin"))?;
        symlink(root().join("charts"), folder.join("charts"))?;
        fs::create_dir(folder.join("examples"))?;
        for name in ["revenue-5m.yaml", "reader.yaml"] {
            let text = fs::read_to_string(root().join("examples").join(name))?;
            // Nothing can be pulled here.
            fs::write(folder.join("examples").join(name), text.replace("library/busybox:1.37", "local/busybox:1"))?;
        }
        let kubeconfig = world.path("kubeconfig");
        fs::copy(world.cluster.variable("KUBECONFIG").context("a KUBECONFIG")?, &kubeconfig)?;
        let reader = Self { world, folder, kubeconfig };
        reader.run(&format!("kubectl config set-context --current --namespace {}", world.namespace))?;
        reader.run(&format!("helm uninstall sluice --namespace {SYSTEM} --wait"))?;
        Ok(reader)
    }

    fn read(&self) -> Result<()> {
        let mut steps = Steps::begin("documented");
        let install = Page::open("docs/install.md")?;
        self.run(install.with("helm -n sluice-system test"))?;
        steps.done("installed");
        let first = Page::open("docs/first-pipeline.md")?;
        for of_step in ["kubectl apply -f revenue-5m.yaml", "kubectl describe", "generate"] {
            self.run(first.with(of_step))?;
        }
        steps.done("first pipeline, and events");
        self.until_published()?;
        let printed = self.run(first.with("kubectl exec reader"))?;
        ensure!(printed.contains("window_start") && printed.contains("revenue"), "{printed}");
        let printed = self.run(first.with("DataQualityHealthy"))?;
        ensure!(printed.contains("\"rules\""), "{printed}");
        steps.done("tables and quality");
        self.look()?;
        steps.done("looked inside, letters repaired");
        self.run(first.with("kubectl scale"))?;
        let upgrade = Page::open("docs/upgrade.md")?;
        self.run(&upgrade.blocks.join("\n"))?;
        self.run(upgrade.text("helm rollback sluice -n sluice-system")?)?;
        steps.done("scaled, suspended, upgraded and back");
        let uninstall = Page::open("docs/uninstall.md")?;
        self.run(&uninstall.blocks[0])?;
        self.run(&uninstall.blocks[1])?;
        self.run(install.with("helm -n sluice-system test"))?;
        self.run(&uninstall.blocks[2])?;
        let printed = self.run(&uninstall.blocks[3])?;
        ensure!(printed.contains("data-revenue-5m-0"), "volumes stay: {printed}");
        steps.done("uninstalled, installed and all taken away");
        Ok(())
    }

    /// The pages about rules, letters and what is inside, on the tables that were copied.
    fn look(&self) -> Result<()> {
        let copied = format!("file://{}", self.folder.join("data").display());
        self.run(&format!("sed 's|file:///data|{copied}|' revenue-5m.yaml > pipeline.yaml"))?;
        let letters: Value = serde_json::from_str(&self.run("sluice dlq list pipeline.yaml --json")?)?;
        let letter = letters[0]["example"].as_str().context("a dead letter")?;
        let pages = [
            ("docs/how-to/add-a-rule.md", "VIOLATIONS"),
            ("docs/how-to/look-inside.md", " equal"),
            ("docs/how-to/repair-dead-letters.md", "region"),
        ];
        for (page, said) in pages {
            let blocks = Page::open(page)?.blocks;
            ensure!(!blocks.is_empty(), "'{page}' has no commands");
            let typed = blocks.iter().map(|block| self.run(&block.replace("0-1234", letter)));
            let printed = typed.collect::<Result<String>>()?;
            ensure!(printed.contains(said), "'{page}' prints no '{said}': {printed}");
        }
        Ok(())
    }

    /// The command below which a page says that a window is published "when every partition has seen …".
    fn until_published(&self) -> Result<()> {
        let closed = self.world.recount()?["closed_until"].as_i64().context("every partition has a watermark")?;
        let closed = schemas::status::Time::from_millis(closed).to_string();
        until(&format!("all windows up to {closed} are published"), PATIENCE, || {
            let last = self.world.pipeline()?["status"]["progress"]["lastPublishedWindow"]["end"].clone();
            Ok((last == closed).then_some(()))
        })
    }

    /// Types commands, of which each must succeed, and gives what they print.
    fn run(&self, commands: &str) -> Result<String> {
        let typed = commands
            .replace("http://YOUR-REGISTRY:8081", &self.world.registry.url)
            .replace("YOUR-BROKER:9092", &self.world.kafka.bootstrap);
        let mut bash = self.world.cluster.command("bash", &["-euo", "pipefail", "-c", &typed]);
        let tools = self.world.cluster.variable("PATH").unwrap_or_default();
        let path = format!("{}:{tools}", self.folder.join("bin").display());
        bash.current_dir(&self.folder).env("KUBECONFIG", &self.kubeconfig).env("PATH", path);
        output(bash).with_context(|| typed.clone())
    }
}

/// The commands of a page.
struct Page {
    name: String,
    text: String,
    blocks: Vec<String>,
}

impl Page {
    fn open(name: &str) -> Result<Self> {
        let text = fs::read_to_string(root().join(Path::new(name)))?;
        let mut blocks = Vec::new();
        let mut lines = text.lines().map(str::trim);
        while lines.by_ref().any(|line| line == "```sh") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n"));
        }
        Ok(Self { name: name.to_owned(), blocks, text })
    }

    /// The first block that holds those words, or a command that fails and says so.
    fn with(&self, words: &str) -> &str {
        self.blocks.iter().find(|block| block.contains(words)).map_or("false # no such block", String::as_str)
    }

    /// Words that must be on the page.
    fn text<'a>(&self, words: &'a str) -> Result<&'a str> {
        ensure!(self.text.contains(words), "'{}' does not say '{words}'", self.name);
        Ok(words)
    }
}
