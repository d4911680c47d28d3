//! Codes for manifests that cannot be read; those for what a manifest means are `plan::codes`.
//!
//! Keeps true: a code never changes its meaning.

/// The text is not YAML.
pub const YAML: &str = "SL0001";
/// There is no field of this name.
pub const FIELD_UNKNOWN: &str = "SL0002";
/// A field that must be there is not.
pub const FIELD_MISSING: &str = "SL0003";
/// The value is of another type than the field.
pub const TYPE: &str = "SL0004";
/// The value is of the right type, but not one that is allowed.
pub const VALUE: &str = "SL0005";
/// The field is there twice.
pub const FIELD_TWICE: &str = "SL0006";
