//! What can go wrong outside, by who must act: the user (refused), the environment (unreachable), nobody (not leading).

use thiserror::Error;

/// The Kubernetes API did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClusterError {
    /// It says no. Retrying helps only when somebody changes something.
    #[error("the API server refuses: {message}")]
    Refuse {
        /// HTTP status.
        code: u16,
        /// Its word for why, such as `AlreadyExists`.
        reason: String,
        /// Its words.
        message: String,
    },
    /// No answer, or one that says to come again. Retry.
    #[error("the API server does not answer: {message}")]
    Reach {
        /// What happened.
        message: String,
    },
    /// Another operator leads, or may lead by now. Nothing was written.
    #[error("not written, because the lease is not held")]
    NotLeading,
}

impl ClusterError {
    /// Whether an object with that name exists already.
    pub fn exists_already(&self) -> bool {
        matches!(self, Self::Refuse { code: 409, reason, .. } if reason == "AlreadyExists")
    }

    /// The API server's own words, if it said no.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refuse { message, .. } => Some(message),
            Self::Reach { .. } | Self::NotLeading => None,
        }
    }
}

/// Kafka did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BrokerError {
    /// No broker answers. The environment must act; retry.
    #[error("no broker of '{bootstrap}' answers: {message}")]
    Reach {
        /// The addresses.
        bootstrap: String,
        /// What happened.
        message: String,
    },
    /// The credentials are refused. The user must act.
    #[error("the brokers of '{bootstrap}' refuse the credentials: {message}")]
    Authenticate {
        /// The addresses.
        bootstrap: String,
        /// What happened.
        message: String,
    },
    /// A right is missing. The user must act.
    #[error("the brokers do not allow to {deed}: {message}")]
    Authorize {
        /// What was asked.
        deed: String,
        /// What happened.
        message: String,
    },
    /// The broker says no. The user must act.
    #[error("the broker refuses to {deed}: {message}")]
    Refuse {
        /// What was asked.
        deed: String,
        /// What happened.
        message: String,
    },
}

/// The registry did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// No answer, or not a registry's. The environment must act; retry.
    #[error("the registry '{url}' does not answer: {message}")]
    Reach {
        /// Its address.
        url: String,
        /// What happened.
        message: String,
    },
    /// The credentials are refused. The user must act.
    #[error("the registry '{url}' refuses the credentials: {message}")]
    Authenticate {
        /// Its address.
        url: String,
        /// What happened.
        message: String,
    },
    /// The schema does not fit those before it. The user must act.
    #[error("the registry refuses the schema as incompatible: {message}")]
    Incompatible {
        /// The registry's words.
        message: String,
    },
    /// The registry says no. The user must act.
    #[error("the registry refuses ({code}): {message}")]
    Refuse {
        /// The registry's error code, such as 42201.
        code: u32,
        /// The registry's words.
        message: String,
    },
}

impl RegistryError {
    /// Whether the registry itself says no to the schema, the subject or the level.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Incompatible { .. } | Self::Refuse { .. })
    }
}

/// A worker gave no report: unknown, which is not zero.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UnreachableWorker {
    /// What happened.
    pub message: String,
}
