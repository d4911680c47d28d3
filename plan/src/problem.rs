//! What is wrong with a manifest: a stable code, where, why, and what is allowed.
//!
//! Keeps true: a code never changes its meaning; a path names a node of the manifest as written (or, where something is
//! missing, the node that lacks it); messages are lower case, without a full stop, with names in single quotes.

use std::fmt;
use std::ops::Range;

/// One step from a node of the manifest to a node below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Into the mapping's value of this key.
    Key(String),
    /// Into the sequence's element at this index, from 0.
    Index(usize),
}

/// Where a node of the manifest is, from the root. Displayed as `spec.quality.rules[3].field`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The path of dotted keys, for example `spec.window.size`.
    pub fn of(keys: &str) -> Self {
        Self(keys.split('.').map(|key| Segment::Key(key.to_owned())).collect())
    }

    /// This path and one more key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.to_owned()));
        path
    }

    /// This path and one more index.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, for example `SL0302`; see [`codes`].
    pub code: &'static str,
    /// The node that is wrong, or that lacks something.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// Bytes inside the node's string value, for expressions, patterns and schemas.
    pub span: Option<Range<usize>>,
    /// What is allowed, or the nearest valid name.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with neither span nor help.
    pub fn new(code: &'static str, path: Path, message: impl Into<String>) -> Self {
        Self { code, path, message: message.into(), span: None, help: None }
    }

    /// With the place inside the string value.
    #[must_use]
    pub fn at(mut self, span: Option<Range<usize>>) -> Self {
        self.span = span;
        self
    }

    /// With what is allowed.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.path, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a manifest, in the order of the manifest. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The codes of this crate. `SL00xx` (the manifest cannot be read at all) belong to the manifest's reader.
pub mod codes {
    /// `apiVersion` or `kind` is not this version's.
    pub const IDENTITY: &str = "SL0101";
    /// A name breaks the syntax of its kind.
    pub const NAME_SYNTAX: &str = "SL0102";
    /// Two things of one kind have the same name.
    pub const NAME_DUPLICATE: &str = "SL0103";
    /// The name belongs to Sluice.
    pub const NAME_RESERVED: &str = "SL0104";
    /// Neither or both of two alternatives are given.
    pub const ALTERNATIVES: &str = "SL0105";
    /// The Avro schema cannot be read.
    pub const SCHEMA: &str = "SL0201";
    /// The Avro schema is valid, but not one that Sluice can decode.
    pub const SCHEMA_UNSUPPORTED: &str = "SL0202";
    /// The schema has no such field.
    pub const FIELD_UNKNOWN: &str = "SL0203";
    /// The field's type does not fit its use.
    pub const FIELD_TYPE: &str = "SL0204";
    /// The field may be null where that is not allowed.
    pub const FIELD_NULLABLE: &str = "SL0205";
    /// The expression does not parse.
    pub const SQL_SYNTAX: &str = "SL0301";
    /// The expression names a field that the schema lacks.
    pub const SQL_FIELD: &str = "SL0302";
    /// The expression calls a function that does not exist or is not allowed.
    pub const SQL_FUNCTION: &str = "SL0303";
    /// Types inside the expression do not fit.
    pub const SQL_TYPE: &str = "SL0304";
    /// The expression is not a condition.
    pub const SQL_NOT_BOOLEAN: &str = "SL0305";
    /// The measure is not exactly one aggregate, or an aggregate stands where none may.
    pub const SQL_AGGREGATE: &str = "SL0306";
    /// The expression could give another value when it is evaluated again.
    pub const SQL_VOLATILE: &str = "SL0307";
    /// The expression uses SQL that records cannot be judged with (subqueries, window functions, parameters).
    pub const SQL_UNSUPPORTED: &str = "SL0308";
    /// A hint: the expression compares with a literal null, which gives null.
    pub const SQL_NULL: &str = "SL0309";
    /// The rule has no kind, or more than one.
    pub const RULE_KIND: &str = "SL0401";
    /// The rule lacks `field`, or has one it does not use.
    pub const RULE_FIELD: &str = "SL0402";
    /// A literal of the rule does not fit the field's type.
    pub const RULE_LITERAL: &str = "SL0403";
    /// The rule's bounds admit nothing.
    pub const RULE_BOUNDS: &str = "SL0404";
    /// A regular expression cannot be read.
    pub const PATTERN: &str = "SL0405";
    /// A list is empty where something is needed.
    pub const EMPTY: &str = "SL0501";
    /// A number or duration is out of its range.
    pub const RANGE: &str = "SL0502";
    /// The window neither divides a day nor is whole days.
    pub const WINDOW: &str = "SL0503";
    /// More workers than partitions.
    pub const REPLICAS: &str = "SL0504";
    /// An address is malformed or of a kind that is not supported.
    pub const ADDRESS: &str = "SL0601";
    /// A Kafka property that belongs to Sluice.
    pub const KAFKA_PROPERTY: &str = "SL0602";
    /// The security settings do not fit together.
    pub const SECURITY: &str = "SL0603";
    /// An unknown folder scheme.
    pub const PARTITION_BY: &str = "SL0604";
    /// A topic setting that belongs to Sluice.
    pub const TOPIC_CONFIG: &str = "SL0605";
}
