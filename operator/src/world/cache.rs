//! The objects that the operator watches, as they were last told: by the watches, and by the API server's answers to the
//! operator's own writes.
//!
//! Kept true: of two tellings of an object the newer one stays, so that a pass finds what the pass before wrote even while
//! the watch is behind; and nothing is read before every watch has told what there is. Objects are kept as text: a tree of
//! JSON takes many times the memory, and each is read only when its pipeline is looked at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::watcher::Event;
use tokio::sync::watch;

use super::{Kind, Object};
use crate::names;

/// Namespace and name.
type Key = (String, String);

/// For so long an answer to a write may come after the news that the object is gone.
const LATE: Duration = Duration::from_mins(1);

/// What is known of all watched kinds.
#[derive(Debug)]
pub struct Cache {
    kinds: Mutex<HashMap<Kind, Shelf>>,
    filled: watch::Sender<usize>,
}

/// The objects of one kind.
#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<Key, Known>,
    /// The resource version of their deletion.
    gone: HashMap<Key, (u128, Instant)>,
    /// Whether a watch has told all there were.
    filled: bool,
}

#[derive(Debug)]
struct Known {
    uid: String,
    /// The resource version, where it can be compared.
    version: Option<u128>,
    pipeline: Option<String>,
    text: Arc<str>,
    /// A watch that begins anew has not told of it yet.
    doubtful: bool,
}

impl Default for Cache {
    fn default() -> Self {
        Self { kinds: Mutex::default(), filled: watch::Sender::new(0) }
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Shelf>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a watch tells.
    pub fn told(&self, kind: Kind, event: &Event<Object>) {
        let mut all = self.lock();
        let of_kind = all.entry(kind).or_default();
        match event {
            Event::Init => of_kind.objects.values_mut().for_each(|known| known.doubtful = true),
            Event::InitApply(object) | Event::Apply(object) => of_kind.put(object),
            Event::Delete(object) => of_kind.take(object),
            Event::InitDone => {
                of_kind.objects.retain(|_, known| !known.doubtful);
                if !std::mem::replace(&mut of_kind.filled, true) {
                    self.filled.send_modify(|kinds| *kinds += 1);
                }
            }
        }
    }

    /// Takes in the API server's answer to a write.
    pub fn answered(&self, kind: Kind, object: &Object) {
        self.lock().entry(kind).or_default().put(object);
    }

    /// The API server no longer knows the kind.
    pub fn unknown(&self, kind: Kind) {
        if self.lock().remove(&kind).is_some_and(|of_kind| of_kind.filled) {
            self.filled.send_modify(|kinds| *kinds -= 1);
        }
    }

    /// Whether a watch has told of all objects of the kind.
    pub fn knows(&self, kind: Kind) -> bool {
        self.lock().get(&kind).is_some_and(|of_kind| of_kind.filled)
    }

    /// Waits until that is so for all of these.
    pub async fn until_filled(&self, kinds: &[Kind]) {
        let mut filled = self.filled.subscribe();
        while !kinds.iter().all(|kind| self.knows(*kind)) {
            // The sender lives as long as this value.
            let _ = filled.changed().await;
        }
    }

    /// The object of that name.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Object> {
        let key = (namespace.to_owned(), name.to_owned());
        let text = self.lock().get(&kind)?.objects.get(&key)?.text.clone();
        Some(object(&text))
    }

    /// The objects that are labelled as the pipeline's.
    pub fn list(&self, kind: Kind, namespace: &str, pipeline: &str) -> Vec<Object> {
        let all = self.lock();
        let Some(of_kind) = all.get(&kind) else { return Vec::new() };
        let of_namespace = of_kind
            .objects
            .range((namespace.to_owned(), String::new())..)
            .take_while(|((namespace_of, _), _)| namespace_of == namespace);
        let of_pipeline = of_namespace.filter(|(_, known)| known.pipeline.as_deref() == Some(pipeline));
        let texts: Vec<Arc<str>> = of_pipeline.map(|(_, known)| known.text.clone()).collect();
        drop(all);
        texts.iter().map(|text| object(text)).collect()
    }
}

fn object(text: &str) -> Object {
    Object(serde_json::from_str(text).expect("it was written from JSON"))
}

fn version(object: &Object) -> Option<u128> {
    object.text("/metadata/resourceVersion")?.parse().ok()
}

fn key(object: &Object) -> Key {
    (object.namespace().to_owned(), object.name().to_owned())
}

impl Shelf {
    fn put(&mut self, object: &Object) {
        let (key, version) = (key(object), version(object));
        if self.gone.get(&key).zip(version).is_some_and(|((gone, _), told)| told <= *gone) {
            return;
        }
        if let Some(known) = self.objects.get_mut(&key)
            && known.version.zip(version).is_some_and(|(known, told)| told < known)
        {
            known.doubtful = false;
            return;
        }
        let known = Known {
            uid: object.uid().to_owned(),
            version,
            pipeline: object.label(names::PIPELINE).map(str::to_owned),
            text: object.0.to_string().into(),
            doubtful: false,
        };
        self.objects.insert(key, known);
    }

    /// Another object of the name may have been made since.
    fn take(&mut self, object: &Object) {
        let key = key(object);
        if self.objects.get(&key).is_some_and(|known| known.uid == object.uid()) {
            self.objects.remove(&key);
        }
        let now = Instant::now();
        self.gone.retain(|_, (_, since)| now.duration_since(*since) < LATE);
        self.gone.extend(version(object).map(|version| (key, (version, now))));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, uid: &str, version: u64, pipeline: &str) -> Object {
        Object(
            json!({"metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": version.to_string(),
            "labels": {"sluice.dev/pipeline": pipeline}}}),
        )
    }

    fn version_of(cache: &Cache, name: &str) -> Option<u128> {
        version(&cache.get(Kind::Service, "team", name)?)
    }

    #[test]
    fn the_newer_telling_stays_whoever_tells_it() {
        let cache = Cache::default();
        cache.told(Kind::Service, &Event::Apply(service("a", "u", 5, "p")));
        cache.answered(Kind::Service, &service("a", "u", 9, "p"));
        cache.told(Kind::Service, &Event::Apply(service("a", "u", 7, "p")));
        assert_eq!(version_of(&cache, "a"), Some(9));
        cache.told(Kind::Service, &Event::Apply(service("a", "u", 12, "p")));
        assert_eq!(version_of(&cache, "a"), Some(12));
    }

    #[test]
    fn a_deletion_takes_away_the_very_object_only() {
        let cache = Cache::default();
        cache.answered(Kind::Service, &service("a", "new", 9, "p"));
        cache.told(Kind::Service, &Event::Delete(service("a", "old", 8, "p")));
        assert_eq!(version_of(&cache, "a"), Some(9));
        cache.told(Kind::Service, &Event::Delete(service("a", "new", 11, "p")));
        // An answer that was under way.
        cache.answered(Kind::Service, &service("a", "new", 10, "p"));
        assert_eq!(version_of(&cache, "a"), None);
        cache.answered(Kind::Service, &service("a", "newest", 12, "p"));
        assert_eq!(version_of(&cache, "a"), Some(12));
    }

    #[test]
    fn a_watch_that_begins_anew_takes_away_what_is_gone_and_leaves_what_was_written_meanwhile() {
        let cache = Cache::default();
        for name in ["gone", "kept"] {
            cache.told(Kind::Service, &Event::Apply(service(name, name, 5, "p")));
        }
        assert!(!cache.knows(Kind::Service));
        cache.told(Kind::Service, &Event::Init);
        cache.told(Kind::Service, &Event::InitApply(service("kept", "kept", 5, "p")));
        cache.answered(Kind::Service, &service("made", "made", 8, "p"));
        cache.told(Kind::Service, &Event::InitDone);
        assert!(cache.knows(Kind::Service));
        let found = cache.list(Kind::Service, "team", "p");
        assert_eq!(found.iter().map(Object::name).collect::<Vec<_>>(), ["kept", "made"]);
        assert!(
            cache.list(Kind::Service, "team", "other").is_empty() && cache.list(Kind::Service, "a", "p").is_empty()
        );
    }
}
