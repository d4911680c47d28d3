//! An answer to a condition's question, before it has a time.

use schemas::status::{ConditionStatus, Reason};

/// Yes, no or unknown, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in words. It holds nothing that moves all the time, because every change is written.
    pub message: String,
}

impl Answer {
    /// Yes.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    /// No.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }

    /// It could not be found out.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, reason, message: message.into() }
    }

    /// Whether it is no.
    pub fn is_no(&self) -> bool {
        self.status == ConditionStatus::False
    }
}

/// Whether a reason stays until a person changes something.
pub fn needs_a_person(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InvalidSpec
            | Reason::RevisionRequired
            | Reason::ConfigMapMissing
            | Reason::NotAllowed
            | Reason::SecretMissing
            | Reason::NameConflict
            | Reason::ApplyRefused
            | Reason::TopicMissing
            | Reason::TopicDrift
            | Reason::TopicRefused
            | Reason::TopicRecreated
            | Reason::BrokerAuthenticationFailed
            | Reason::BrokerAuthorizationFailed
            | Reason::SchemaIncompatible
            | Reason::SchemaRefused
            | Reason::RegistryAuthenticationFailed
            | Reason::PodRefused
            | Reason::ImageUnavailable
            | Reason::SourceDataLost
            | Reason::RuleStopped
            | Reason::VolumeGrowthRefused
            | Reason::VolumeFull
            | Reason::Divergence
    )
}
