//! Reading a file: each document is a pipeline, a broken pipeline, or something else that is left alone.

use plan::{Path, Plan, Problem, Problems, Segment};
use schemas::spec::{API_VERSION, AnalyticsPipeline, KIND};

use super::shape::{Shape, Understudy};
use super::tree::{self, Node};
use super::{Finding, Source, codes};

/// One document of a file.
#[derive(Debug)]
pub enum Document {
    /// A pipeline that can run.
    Pipeline(Box<Pipeline>),
    /// A pipeline with problems, or text that is not YAML.
    Broken {
        /// The pipeline's name, if it can be read.
        name: Option<String>,
        /// What is wrong, in the order of the file. Never empty.
        findings: Vec<Finding>,
    },
    /// Not a pipeline.
    Skipped(Skipped),
}

/// A pipeline that can run.
#[derive(Debug)]
pub struct Pipeline {
    /// As written.
    pub manifest: AnalyticsPipeline,
    /// Compiled.
    pub plan: Plan,
    /// What is right, and likely not what was meant.
    pub hints: Vec<Finding>,
}

/// A document of another kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its kind.
    pub kind: String,
    /// The line that it starts on.
    pub line: usize,
}

/// Reads all documents of a file.
pub fn read(source: &Source) -> Vec<Document> {
    let (nodes, malformed) = tree::parse(&source.text);
    let nodes = nodes.into_iter().filter(|node| !node.value().is_null());
    let mut documents: Vec<Document> = nodes.map(|node| document(&node, source)).collect();
    if let Some(malformed) = malformed {
        let finding = Finding {
            code: codes::YAML,
            path: Path::default(),
            message: format!("malformed YAML: {}", malformed.message),
            help: None,
            range: source.first_line(&(malformed.byte..malformed.byte + 1)),
        };
        documents.push(Document::Broken { name: None, findings: vec![finding] });
    }
    documents
}

fn document(node: &Node, source: &Source) -> Document {
    if let Some(kind) = other_kind(node) {
        return Document::Skipped(Skipped { kind, line: source.place(node.place.start).line });
    }
    let name = node.entry("metadata").and_then(|metadata| metadata.value.text("name"));
    let broken = |problems: Vec<Problem>| {
        let mut findings: Vec<Finding> =
            problems.into_iter().map(|problem| Finding::locate(problem, node, source)).collect();
        findings.sort_by_key(|finding| finding.range.start);
        Document::Broken { name: name.clone(), findings }
    };
    let shape = Shape::of(node, Understudy::First);
    let manifest: AnalyticsPipeline = match serde_json::from_value(shape.value) {
        Ok(manifest) => manifest,
        Err(error) if shape.problems.is_empty() => {
            return broken(vec![Problem::new(codes::TYPE, Path::default(), error.to_string())]);
        }
        Err(_) => return broken(shape.problems),
    };
    match Plan::compile(&manifest) {
        Ok(plan) if shape.problems.is_empty() => {
            let hints = Plan::hints(&manifest).into_iter().map(|hint| Finding::locate(hint, node, source)).collect();
            Document::Pipeline(Box::new(Pipeline { manifest, plan, hints }))
        }
        Ok(_) => broken(shape.problems),
        Err(Problems(meaning)) => {
            let also = if shape.stand_ins.is_empty() { None } else { otherwise(node) };
            let told = meaning.into_iter().filter(|problem| {
                !explained(problem, &shape.problems)
                    && !shape.stand_ins.iter().any(|path| problem.path.0.starts_with(&path.0))
                    && also.as_ref().is_none_or(|also| also.contains(problem))
            });
            broken(told.chain(shape.problems.iter().cloned()).collect())
        }
    }
}

/// The problems of meaning when other values stand in for what cannot be read: what is not among them may go away with what was
/// meant.
fn otherwise(node: &Node) -> Option<Vec<Problem>> {
    let manifest: AnalyticsPipeline = serde_json::from_value(Shape::of(node, Understudy::Second).value).ok()?;
    Some(Plan::compile(&manifest).err().map(|Problems(meaning)| meaning).unwrap_or_default())
}

/// The kind of a document that is none of ours. One without a kind, or with our group, is meant to be ours.
fn other_kind(node: &Node) -> Option<String> {
    let kind = node.text("kind")?;
    let group = API_VERSION.split('/').next().unwrap_or_default();
    let ours = node.text("apiVersion").is_none_or(|version| version.split('/').next() == Some(group));
    (kind != KIND && !ours).then_some(kind)
}

/// Whether a problem only says that a node lacks what an unknown field in it was meant to be.
fn explained(problem: &Problem, unknown: &[Problem]) -> bool {
    let parent = |path: &Path| -> Vec<Segment> { path.0[..path.0.len().saturating_sub(1)].to_vec() };
    unknown.iter().any(|unknown| problem.path.0 == parent(&unknown.path))
}
