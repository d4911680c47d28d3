//! Owns what is known about the way to the broker: never an exit, always a state that people can read.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The way to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// No answer yet, no refusal either.
    Connecting,
    /// The last question was answered.
    Up,
    /// No broker answers; the client keeps trying.
    Unreachable {
        /// Since when.
        since: SystemTime,
        /// The client's last words.
        message: String,
    },
    /// The broker answers and refuses us (TLS, credentials); the user must act, the client keeps trying.
    Refused {
        /// Since when.
        since: SystemTime,
        /// The client's last words.
        message: String,
    },
}

/// The link's present state, and the last transport error, which is the most telling.
///
/// A failed connection alone proves nothing (there may be other brokers): it makes the link doubtful, and a question that stays
/// without answer makes it unreachable.
#[derive(Debug)]
pub(super) struct LinkWatch {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    link: Link,
    doubtful: bool,
    last_words: String,
}

impl State {
    fn becomes(&mut self, next: Link) -> Option<Link> {
        let changed = self.link != next;
        self.link = next;
        changed.then(|| self.link.clone())
    }
}

impl LinkWatch {
    pub(super) fn new() -> Self {
        let state = State { link: Link::Connecting, doubtful: true, last_words: String::new() };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn link(&self) -> Link {
        self.state().link.clone()
    }

    /// Whether a question should be asked to find out.
    pub(super) fn is_doubtful(&self) -> bool {
        self.state().doubtful
    }

    /// A question was answered. Returns the new state if it is another one.
    pub(super) fn answered(&self) -> Option<Link> {
        let mut state = self.state();
        state.doubtful = false;
        state.last_words.clear();
        state.becomes(Link::Up)
    }

    /// A question stayed without answer. Returns the new state if it is another one.
    pub(super) fn unanswered(&self, error: &str, now: SystemTime) -> Option<Link> {
        let mut state = self.state();
        state.doubtful = true;
        if !matches!(state.link, Link::Connecting | Link::Up) {
            return None;
        }
        let message = if state.last_words.is_empty() { error } else { &state.last_words };
        let next = Link::Unreachable { since: now, message: message.to_owned() };
        state.becomes(next)
    }

    /// The client reported an error. Returns the new state if it is another one.
    pub(super) fn failed(&self, error: &KafkaError, reason: &str, now: SystemTime) -> Option<Link> {
        let mut state = self.state();
        match error.rdkafka_error_code()? {
            Code::BrokerTransportFailure | Code::Resolve => {
                state.doubtful = true;
                plain(reason).clone_into(&mut state.last_words);
                None
            }
            Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => {
                state.doubtful = true;
                let since = match state.link {
                    Link::Refused { since, .. } => since,
                    _ => now,
                };
                state.becomes(Link::Refused { since, message: plain(reason).to_owned() })
            }
            _ => None,
        }
    }
}

/// The client's words without its inner state, which follows in brackets: `... failed: Connection refused (after 0ms in state
/// CONNECT, 3 identical error(s) suppressed)`.
pub fn plain(words: &str) -> &str {
    words.find(" (after ").map_or(words, |at| &words[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_keeps_its_beginning_and_the_most_telling_words() {
        let watch = LinkWatch::new();
        let at = |s| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(s);
        let error = KafkaError::Global;
        assert!(watch.is_doubtful());
        assert_eq!(watch.answered(), Some(Link::Up));
        assert_eq!((watch.answered(), watch.is_doubtful()), (None, false));

        assert_eq!(watch.failed(&error(Code::BrokerTransportFailure), "connection refused", at(1)), None);
        assert_eq!((watch.link(), watch.is_doubtful()), (Link::Up, true));
        let down = Link::Unreachable { since: at(2), message: "connection refused".to_owned() };
        assert_eq!(watch.unanswered("timed out", at(2)), Some(down.clone()));
        assert_eq!(watch.unanswered("timed out", at(3)), None);
        assert_eq!(watch.link(), down);
        assert_eq!(watch.answered(), Some(Link::Up));

        let refused = Link::Refused { since: at(5), message: "bad password".to_owned() };
        assert_eq!(watch.failed(&error(Code::Authentication), "bad password", at(5)), Some(refused.clone()));
        assert_eq!(watch.failed(&error(Code::Authentication), "bad password", at(6)), None);
        assert_eq!(watch.unanswered("timed out", at(7)), None);
        assert_eq!(watch.link(), refused);
    }
}
