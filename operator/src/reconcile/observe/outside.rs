//! Looks at what is outside of the cluster's API: topics, the subject, the workers' reports.
//!
//! Kept true: one that is away hides nothing of the others. Topics and subjects that are as declared are looked at again only
//! when that is due, or when a worker is in trouble; reports are read at every look.

use futures::stream::{self, StreamExt as _};
use plan::{Outline, Register};
use schemas::report::WorkerReport;

use super::{Pod, Secrets, Seen};
use crate::reconcile::validate::Valid;
use crate::world::{BrokerError, KafkaAccess, RegistryAccess, RegistryError, SubjectState, TopicState, World};

/// What is outside of the cluster's API.
#[derive(Debug, Clone)]
pub struct Outside {
    /// The topics, in the order of the plan's; absent when a secret is missing.
    pub topics: Option<Result<Vec<Option<TopicState>>, BrokerError>>,
    /// The subject and what the registry's probe says of the schema; absent when a secret is missing.
    pub subject: Option<Result<Subject, RegistryError>>,
    /// What each pod with a running container reports; absent: unknown.
    pub reports: Vec<(String, Option<WorkerReport>)>,
}

/// The subject, seen from the pipeline's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// What the registry holds.
    pub state: SubjectState,
    /// What makes the schema incompatible; empty: nothing, or the subject holds it.
    pub problems: Vec<String>,
}

/// What need not be looked at again yet.
#[derive(Debug, Clone, Default)]
pub struct LastLook {
    topics: Option<Look<TopicsQuestion, Vec<Option<TopicState>>>>,
    subject: Option<Look<SubjectQuestion, Subject>>,
}

/// How Kafka is reached, and the topics' names.
type TopicsQuestion = (KafkaAccess, Vec<String>);
/// How the registry is reached, and what the plan says of the subject.
#[derive(Debug, Clone, PartialEq)]
struct SubjectQuestion {
    access: RegistryAccess,
    name: String,
    register: Register,
    schema: String,
    reader_schema: String,
}

#[derive(Debug, Clone)]
struct Look<Q, A> {
    at: i64,
    question: Q,
    answer: A,
}

impl<Q: PartialEq, A: Clone> Look<Q, A> {
    /// The answer to the same question, if it is at most so old.
    fn answer(last: Option<&Self>, question: &Q, since: i64) -> Option<A> {
        last.filter(|look| look.at > since && look.question == *question).map(|look| look.answer.clone())
    }
}

impl LastLook {
    /// What was changed, or is not as declared, is looked at again by the next pass.
    pub fn retain(&mut self, topics: bool, subject: bool) {
        self.topics.take_if(|_| !topics);
        self.subject.take_if(|_| !subject);
    }
}

/// Looks at topics, subject and workers, but not at what was seen as declared less than `keep_ms` ago.
pub async fn outside<W: World>(
    world: &W,
    seen: &Seen,
    valid: Option<&Valid>,
    last: &mut LastLook,
    keep_ms: i64,
) -> Outside {
    let reports = reports(world, &seen.pods).await;
    let troubled = reports.iter().any(|(_, report)| report.as_ref().is_some_and(|report| !report.troubles.is_empty()));
    let since = if troubled { i64::MAX } else { world.now() - keep_ms };
    let LastLook { topics: last_topics, subject: last_subject } = last;
    let (topics, subject) =
        futures::join!(topics(world, valid, last_topics, since), subject(world, valid, last_subject, since));
    Outside { topics, subject, reports }
}

async fn topics<W: World>(
    world: &W,
    valid: Option<&Valid>,
    last: &mut Option<Look<TopicsQuestion, Vec<Option<TopicState>>>>,
    since: i64,
) -> Option<Result<Vec<Option<TopicState>>, BrokerError>> {
    let valid = valid?;
    let names = valid.topics.iter().map(|topic| topic.name.clone()).collect();
    let question = (valid.kafka.clone()?, names);
    if let Some(answer) = Look::answer(last.as_ref(), &question, since) {
        return Some(Ok(answer));
    }
    let answer = world.topics(&question.0, &question.1).await;
    *last = answer.clone().ok().map(|answer| Look { at: world.now(), question, answer });
    Some(answer)
}

async fn subject<W: World>(
    world: &W,
    valid: Option<&Valid>,
    last: &mut Option<Look<SubjectQuestion, Subject>>,
    since: i64,
) -> Option<Result<Subject, RegistryError>> {
    let plan = &valid?.plan;
    let question = SubjectQuestion {
        access: valid?.registry.clone()?,
        name: plan.source.subject.clone(),
        register: plan.source.register,
        schema: plan.full_schema.clone(),
        reader_schema: plan.reader_schema.clone(),
    };
    if let Some(answer) = Look::answer(last.as_ref(), &question, since) {
        return Some(Ok(answer));
    }
    let answer = ask_subject(world, &question, plan).await;
    *last = answer.clone().ok().map(|answer| Look { at: world.now(), question, answer });
    Some(answer)
}

/// A schema that is to be registered must fit what the subject holds by the registry's word; one that only reads must be able to
/// read the subject's latest version.
async fn ask_subject<W: World>(
    world: &W,
    question: &SubjectQuestion,
    plan: &Outline,
) -> Result<Subject, RegistryError> {
    let SubjectQuestion { access, name, schema, .. } = question;
    let state = world.subject(access, name, schema).await?;
    let problems = match (&state.id, &state.latest) {
        (Some(_), _) => Vec::new(),
        (None, Some(latest)) if question.register != Register::Always => {
            let unread = |why| format!("the schema cannot read the latest version of subject '{name}' {why}");
            plan.can_read(latest).err().map(unread).into_iter().collect()
        }
        _ => world.probe(access, name, schema).await?,
    };
    Ok(Subject { state, problems })
}

/// Reports that are asked for at a time: each takes up to a MiB.
const REPORTS_AT_ONCE: usize = 8;

/// The reports of all pods of the stateful set whose container runs.
async fn reports<W: World>(world: &W, pods: &[Pod]) -> Vec<(String, Option<WorkerReport>)> {
    let running = pods.iter().filter(|pod| pod.running && pod.ours);
    let running: Vec<_> = running.filter_map(|pod| Some((pod.name(), pod.ip.as_deref()?))).collect();
    let reports = stream::iter(running).map(|(name, ip)| async move {
        let report = world.report(ip).await;
        if let Err(error) = &report {
            tracing::debug!(pod = name, %error, "no report");
        }
        (name.to_owned(), report.ok())
    });
    reports.buffered(REPORTS_AT_ONCE).collect().await
}

/// How Kafka is reached with the secrets' credentials.
pub fn kafka_access(valid: &plan::KafkaPlan, secrets: &Secrets) -> KafkaAccess {
    let mut properties = valid.properties.clone();
    let mut add = |property: &str, value: Option<&String>| {
        properties.extend(value.map(|value| (property.to_owned(), value.clone())));
    };
    add("sasl.username", secrets.get("kafka/username"));
    add("sasl.password", secrets.get("kafka/password"));
    add("ssl.ca.pem", secrets.get("kafka/ca.crt"));
    KafkaAccess { bootstrap: valid.bootstrap.clone(), properties }
}
