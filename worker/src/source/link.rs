//! Owns what is known about the way to the broker: never an exit, always a state that people can read.

use std::sync::{Mutex, PoisonError};
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

/// The link's present state and the last transport error, which says more than "all brokers down".
#[derive(Debug)]
pub(super) struct LinkWatch {
    state: Mutex<(Link, String)>,
}

impl LinkWatch {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new((Link::Connecting, String::new())) }
    }

    pub(super) fn link(&self) -> Link {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// A question was answered. Returns the new state if it is another one.
    pub(super) fn answered(&self) -> Option<Link> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = state.0 != Link::Up;
        state.0 = Link::Up;
        changed.then_some(Link::Up)
    }

    /// The client reported an error. Returns the new state if it is another one.
    pub(super) fn failed(&self, error: &KafkaError, reason: &str, now: SystemTime) -> Option<Link> {
        let code = error.rdkafka_error_code()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (link, last_words) = &mut *state;
        if matches!(code, Code::BrokerTransportFailure | Code::Resolve) {
            reason.clone_into(last_words);
        }
        let next = match (code, &*link) {
            (Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL, Link::Refused { since, .. }) => {
                Link::Refused { since: *since, message: reason.to_owned() }
            }
            (Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL, _) => {
                Link::Refused { since: now, message: reason.to_owned() }
            }
            // The refusal says more than the broken connections that follow from it.
            (Code::AllBrokersDown, Link::Connecting | Link::Up) => {
                let message = if last_words.is_empty() { reason } else { last_words };
                Link::Unreachable { since: now, message: message.to_owned() }
            }
            _ => return None,
        };
        let changed = *link != next;
        *link = next;
        changed.then(|| link.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_keeps_its_beginning_and_the_most_telling_words() {
        let watch = LinkWatch::new();
        let at = |s| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(s);
        let error = |code| KafkaError::Global(code);
        assert_eq!(watch.failed(&error(Code::BrokerTransportFailure), "connection refused", at(1)), None);
        let down = Link::Unreachable { since: at(2), message: "connection refused".to_owned() };
        assert_eq!(watch.failed(&error(Code::AllBrokersDown), "1/1 brokers are down", at(2)), Some(down.clone()));
        assert_eq!(watch.failed(&error(Code::AllBrokersDown), "1/1 brokers are down", at(3)), None);
        assert_eq!(watch.link(), down);
        assert_eq!(watch.answered(), Some(Link::Up));
        assert_eq!(watch.answered(), None);
        let refused = Link::Refused { since: at(5), message: "bad password".to_owned() };
        assert_eq!(watch.failed(&error(Code::Authentication), "bad password", at(5)), Some(refused.clone()));
        assert_eq!(watch.failed(&error(Code::AllBrokersDown), "1/1 brokers are down", at(6)), None);
        assert_eq!(watch.link(), refused);
    }
}
