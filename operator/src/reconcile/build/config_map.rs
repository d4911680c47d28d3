//! The `ConfigMap` of one configuration. It never changes; another configuration has another.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::Parts;
use crate::names;
use crate::reconcile::plan::{EPOCHS_KEY, PIPELINE_KEY};

/// The `ConfigMap`.
pub(super) fn config_map(parts: &Parts<'_>, sequence: u64) -> ConfigMap {
    let mut metadata = parts.metadata(parts.config_name);
    metadata.annotations = Some(BTreeMap::from([(names::SEQUENCE.to_owned(), sequence.to_string())]));
    let data = BTreeMap::from([
        (PIPELINE_KEY.to_owned(), parts.config.pipeline_text()),
        (EPOCHS_KEY.to_owned(), parts.config.epochs_text()),
    ]);
    ConfigMap { metadata, data: Some(data), immutable: Some(true), ..ConfigMap::default() }
}
