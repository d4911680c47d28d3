//! Why a condition has its answer, and what happened: closed lists of words that people search for.
//!
//! The doc comment of each is its reference: what it means, then what to do. A word never changes its meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConditionType;

/// An enum of words, all of them as a list, and each as text.
macro_rules! words {
    ($(#[doc = $about:literal])+ $list:ident { $($(#[doc = $doc:literal])+ $word:ident,)+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $list {
            $($(#[doc = $doc])+ $word,)+
        }

        impl $list {
            /// All of them, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// The word as it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }
        }
    };
}

words! {
    /// Why a condition has its answer.
    Reason {
        /// Everything is in place and at work.
        ///
        /// Nothing to do.
        Running,
        /// `spec.suspend` is true, or `workers.replicas` is 0: nothing is read, everything is kept.
        ///
        /// Set `suspend: false` and `replicas` to 1 or more to go on.
        Suspended,
        /// The operator or the cluster is at work to reach what the manifest says.
        ///
        /// Wait; the message names what is waited for.
        Progressing,
        /// The resource is being deleted.
        ///
        /// Wait; the message names what is still there.
        Deleting,
        /// The operator has not come to look at this yet.
        ///
        /// Wait. If it stays, see that the operator runs and look at its log.
        NotObserved,
        /// The manifest is well formed, but cannot run: an expression, a field or the Avro schema is wrong.
        ///
        /// Correct the place that the message names; `sluice validate` finds the same on your machine.
        InvalidSpec,
        /// The meaning of windows would change without a higher `spec.revision`, which the API server could not see
        /// (for example in a `ConfigMap`).
        ///
        /// Raise `spec.revision`, or take the change back.
        RevisionRequired,
        /// The `ConfigMap` that holds the Avro schema, or its key, does not exist.
        ///
        /// Create it in the pipeline's namespace.
        ConfigMapMissing,
        /// A secret that the manifest names, or one of its keys, does not exist.
        ///
        /// Create it in the pipeline's namespace with the keys that the message names.
        SecretMissing,
        /// The pipeline names a secret, an image, a priority class or an annotation that this installation does not let
        /// pipelines use.
        ///
        /// Label the secret as the message says, or ask whoever installed the operator.
        NotAllowed,
        /// An object with the name of one that the operator must make exists and belongs to somebody else.
        ///
        /// Rename the pipeline, or remove the object.
        NameConflict,
        /// The API server refuses an object that the operator must make: rights, a quota or an admission rule.
        ///
        /// Read the message; it is the API server's.
        ApplyRefused,
        /// Another condition must be true first.
        ///
        /// Look at the condition that the message names.
        Blocked,
        /// All topics exist as declared.
        ///
        /// Nothing to do.
        TopicsExist,
        /// A topic with `management: Existing` does not exist, or a topic has gone.
        ///
        /// Create it, or let Sluice do it with `management: Managed`.
        TopicMissing,
        /// A topic differs from its declaration in a way that cannot or must not be repaired: more partitions than
        /// declared, other replicas, other settings.
        ///
        /// Raise `partitions` to what is there, or change the topic.
        TopicDrift,
        /// The broker refuses to create or grow a topic.
        ///
        /// Read the message; it is the broker's. Often the replication factor is more than the brokers, or a right is
        /// missing.
        TopicRefused,
        /// A topic was deleted and created again under the same name; what was committed belongs to the old one.
        ///
        /// Restore that topic, or delete the consumer group that has the pipeline's name to begin anew with this one.
        TopicRecreated,
        /// No broker answers.
        ///
        /// See that `kafka.bootstrapServers` can be reached from the cluster. Workers keep their state and go on by
        /// themselves.
        BrokerUnreachable,
        /// The brokers refuse the credentials.
        ///
        /// Correct the secret in `kafka.security.credentialsSecretRef`, the mechanism, or the authority.
        BrokerAuthenticationFailed,
        /// The credentials are right, but lack a right.
        ///
        /// Grant what the message names.
        BrokerAuthorizationFailed,
        /// The subject holds the schema.
        ///
        /// Nothing to do.
        SchemaRegistered,
        /// The subject holds other versions, or none yet, and is left as it is: the schema is not one to register there. It can read
        /// the latest version.
        ///
        /// Nothing to do. With `source.schema.register: Always` the schema is registered.
        SchemaReadable,
        /// The schema breaks the subject's compatibility level; the registry refused it. Running workers are not
        /// touched.
        ///
        /// Make the change compatible (new fields with defaults), or use a new topic and subject.
        SchemaIncompatible,
        /// The registry refuses the schema, the subject or the compatibility level for another cause.
        ///
        /// Read the message; it is the registry's.
        SchemaRefused,
        /// The registry does not answer. Running workers are not touched.
        ///
        /// See that `schemaRegistry.url` can be reached from the cluster.
        RegistryUnreachable,
        /// The registry refuses the credentials.
        ///
        /// Correct the secret in `schemaRegistry.credentialsSecretRef`.
        RegistryAuthenticationFailed,
        /// All workers run what the manifest says.
        ///
        /// Nothing to do.
        WorkersRunning,
        /// Workers are being started.
        ///
        /// Wait.
        WorkersStarting,
        /// Workers are being replaced by ones with the new settings.
        ///
        /// Wait.
        WorkersUpdating,
        /// No node takes a worker's pod.
        ///
        /// Read the message; it is the scheduler's. Lower the requests, add nodes, or correct `workers.pod`.
        PodUnschedulable,
        /// The API server refuses a worker's pod: a quota or an admission rule.
        ///
        /// Read the message; it is the API server's.
        PodRefused,
        /// The worker's image cannot be pulled.
        ///
        /// Correct `workers.image`, or the pull secrets in `workers.pod`.
        ImageUnavailable,
        /// A worker ends again and again.
        ///
        /// Read the message and the pod's log.
        WorkerCrashing,
        /// A worker runs, but does not answer the operator.
        ///
        /// See that no network policy stands between them.
        WorkerUnreachable,
        /// A worker reports a trouble that this operator has no word for.
        ///
        /// Read the message; upgrade the operator if it is older than the workers.
        WorkerTroubled,
        /// The watermark moves.
        ///
        /// Nothing to do.
        Advancing,
        /// There is nothing to read; open windows wait for newer events.
        ///
        /// Nothing to do. `closeWhenIdleFor` closes them without.
        Idle,
        /// No record has been judged yet, so there is no watermark.
        ///
        /// Produce events.
        NoRecordsYet,
        /// A partition is being rebuilt from Kafka.
        ///
        /// Wait; the message says how far it is.
        Rebuilding,
        /// A partition holds the watermark back although it has records.
        ///
        /// Look at the partition that the message names: its records may have old event times, or its worker may be
        /// slow.
        WatermarkHeld,
        /// Records that are still needed have been deleted from the topic. The partition stops.
        ///
        /// Lengthen the topic's retention; then decide with `source.onDataLoss: Continue`, which goes on without them
        /// and marks the windows that may lack something.
        SourceDataLost,
        /// A record breaks a rule with `onViolation: Stop`. The partition stops before it.
        ///
        /// Look at the record that the message names; then correct the rule, or relax it.
        RuleStopped,
        /// Every rule is kept, as far as is tolerated.
        ///
        /// Nothing to do.
        WithinThresholds,
        /// No batch has been reported yet.
        ///
        /// Wait for the first batch to end.
        NoBatchYet,
        /// A rule is broken by more records than is tolerated.
        ///
        /// Look at the rule that the message names: `sluice query` over `dq_samples` shows examples.
        RuleViolated,
        /// More records cannot be decoded than is tolerated.
        ///
        /// Look at the dead-letter topic: a producer writes another format or schema.
        UndecodableRecords,
        /// Records that were needed had been deleted from the topic, and the pipeline went on without them
        /// (`source.onDataLoss: Continue`).
        ///
        /// Read the message; it names partition, offsets and windows. Files that may lack records carry `sluice.lost`
        /// in their footer. It ends by itself a day of events later.
        WindowsIncomplete,
        /// A sum or an average does not fit its column: it is null in that row, and everything else is as it should be.
        ///
        /// Read the message; it names the measure, the group and the window, and `sluice.overflow` in the file's footer names
        /// more. Often a record carries a largest number as a mark for "nothing": a rule refuses it. Else widen the measure
        /// (`cast(… as decimal(38, 0))`) and raise `spec.revision`. It ends by itself a day of events later.
        Overflow,
        /// So many records would be dead letters that the partition pauses instead of draining the topic.
        ///
        /// Correct the producer or the rule that the message names.
        DeadLetterRunaway,
        /// Volumes and store take what is written.
        ///
        /// Nothing to do.
        StorageWritable,
        /// The store refuses to be written, or does not answer. Workers keep their state and try again.
        ///
        /// See that `sink.path` exists, has room, and that the workers have the right to write it.
        SinkUnavailable,
        /// A worker's volume is not there yet.
        ///
        /// Read the message; often the storage class does not exist or has no room.
        VolumePending,
        /// Volumes are growing.
        ///
        /// Wait.
        VolumeGrowing,
        /// The storage class does not let volumes grow.
        ///
        /// Set `allowVolumeExpansion` on the class, or take the larger size back by deleting and creating the pipeline.
        VolumeGrowthRefused,
        /// A worker's volume is full. Checkpoints are left out, and windows wait to be written.
        ///
        /// Raise `workers.storage.size`.
        VolumeFull,
        /// A worker's volume refuses checkpoints. The worker goes on without; a restart reads more of the log again.
        ///
        /// Read the message; it is the file system's.
        CheckpointFailed,
        /// Two facts about one window contradict each other. The window stops, both are kept.
        ///
        /// Keep both files and report it: this is a fault of Sluice or of the store.
        Divergence,
    }
}

words! {
    /// What happened, as the reason of an event.
    EventReason {
        /// An object was made.
        Created,
        /// An object was changed because the manifest changed.
        Updated,
        /// An object had been changed by somebody else and was put right.
        DriftRepaired,
        /// An object that is no longer needed was removed.
        Pruned,
        /// A topic was created.
        TopicCreated,
        /// Partitions were added to a topic; a new topology epoch begins.
        TopicGrown,
        /// A topic was deleted with the pipeline.
        TopicDeleted,
        /// A topic was left in place when the pipeline was deleted.
        TopicRetained,
        /// A schema was registered, or its compatibility level set.
        SchemaRegistered,
        /// A subject was deleted with the pipeline.
        SubjectDeleted,
        /// A new meaning applies from the window that the message names.
        RevisionChanged,
        /// The number of workers changed.
        Scaled,
        /// The volume claims were made larger.
        VolumeGrown,
        /// A pod that was stuck with old settings was deleted, so that its successor can start.
        PodReplaced,
        /// Something that the operator asked for was refused; the message says by whom.
        Refused,
        /// A condition became false, or true again.
        ConditionChanged,
        /// Records that were needed had been deleted from the topic, and the pipeline went on without them.
        ///
        /// Read the note; it names partition, offsets and windows. Lengthen the topic's retention.
        SourceDataLost,
        /// The deadline for deleting what is outside Kubernetes passed; the message names what is left.
        DeletionGaveUp,
    }
}

impl Reason {
    /// The condition that it comes from. `Ready`, `Reconciling` and `Stalled` repeat reasons of the others, and those that
    /// come from `Ready` may stand in any.
    pub fn origin(self) -> ConditionType {
        match self {
            Self::Running
            | Self::Suspended
            | Self::Progressing
            | Self::Deleting
            | Self::NotObserved
            | Self::InvalidSpec
            | Self::RevisionRequired
            | Self::ConfigMapMissing
            | Self::NotAllowed
            | Self::SecretMissing
            | Self::NameConflict
            | Self::ApplyRefused
            | Self::Blocked => ConditionType::Ready,
            Self::TopicsExist
            | Self::TopicMissing
            | Self::TopicDrift
            | Self::TopicRefused
            | Self::TopicRecreated
            | Self::BrokerUnreachable
            | Self::BrokerAuthenticationFailed
            | Self::BrokerAuthorizationFailed => ConditionType::TopicsReady,
            Self::SchemaRegistered
            | Self::SchemaReadable
            | Self::SchemaIncompatible
            | Self::SchemaRefused
            | Self::RegistryUnreachable
            | Self::RegistryAuthenticationFailed => ConditionType::SchemaReady,
            Self::WorkersRunning
            | Self::WorkersStarting
            | Self::WorkersUpdating
            | Self::PodUnschedulable
            | Self::PodRefused
            | Self::ImageUnavailable
            | Self::WorkerCrashing
            | Self::WorkerUnreachable
            | Self::WorkerTroubled => ConditionType::WorkersReady,
            Self::Advancing
            | Self::Idle
            | Self::NoRecordsYet
            | Self::Rebuilding
            | Self::WatermarkHeld
            | Self::SourceDataLost
            | Self::RuleStopped => ConditionType::WatermarkAdvancing,
            Self::WithinThresholds
            | Self::NoBatchYet
            | Self::RuleViolated
            | Self::UndecodableRecords
            | Self::WindowsIncomplete
            | Self::Overflow
            | Self::DeadLetterRunaway => ConditionType::DataQualityHealthy,
            Self::StorageWritable
            | Self::SinkUnavailable
            | Self::VolumePending
            | Self::VolumeGrowing
            | Self::VolumeGrowthRefused
            | Self::VolumeFull
            | Self::CheckpointFailed
            | Self::Divergence => ConditionType::StorageHealthy,
        }
    }
}
