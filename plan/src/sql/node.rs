//! A typed expression: what is computed, from what, of which type.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use super::calendar::{Field, Truncation};
use super::number::Number;
use super::patterns::{Matcher, Template};

/// One operation with its operands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(super) op: Op,
    pub(super) args: Vec<Node>,
    pub(crate) kind: DataType,
}

/// The operations. All are total: what has no value is null.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// A field of the record.
    Column {
        name: String,
        index: usize,
    },
    /// A constant: one value.
    Literal(ArrayRef),
    /// A number that has met nothing yet; it takes the kind of what stands beside it.
    Number(Number),
    Arithmetic(Arithmetic),
    Negate,
    Compare(Comparison),
    /// Comparison that knows null; with `negated`, `is not distinct from`.
    Distinct {
        negated: bool,
    },
    And,
    Or,
    Not,
    IsNull {
        negated: bool,
    },
    /// `is true` and its like.
    Is {
        value: bool,
        negated: bool,
    },
    /// Operands `value, low, high`.
    Between,
    /// Operands `value, one, two, …`.
    In,
    /// Operands `condition, value, …, otherwise`; with an operand, `compared, with, value, …, otherwise`.
    Case {
        compares: bool,
    },
    Coalesce,
    NullIf,
    /// `least` and `greatest`.
    Extreme {
        largest: bool,
    },
    Cast,
    /// A float that is neither infinite nor not a number; otherwise null, which is no failure.
    Finite,
    /// A time or a day of the calendar; otherwise null.
    Known,
    Round(Rounding),
    Absolute,
    Sign,
    Text(TextFunction),
    Matches {
        matcher: Arc<Matcher>,
        negated: bool,
    },
    RegexCount {
        matcher: Arc<Matcher>,
    },
    RegexReplace {
        matcher: Arc<Matcher>,
        global: bool,
        template: Option<Arc<Template>>,
    },
    Part(Field),
    Truncate(Truncation),
    /// A time moved by an interval.
    Shift {
        back: bool,
    },
    /// The time between two times.
    Elapsed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// How digits are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// To the nearest, halves away from zero.
    Nearest,
    /// Towards zero.
    Truncate,
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
}

/// Functions of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFunction {
    Length,
    OctetLength,
    Lower,
    Upper,
    Reverse,
    Trim {
        start: bool,
        end: bool,
    },
    Left,
    Right,
    Substring,
    Position,
    Contains,
    StartsWith,
    EndsWith,
    Replace,
    SplitPart,
    /// Nulls are left out.
    Concat,
    /// The first operand stands between the others; nulls are left out.
    ConcatWith,
    /// `||`: null if one is null.
    Join,
}

impl Node {
    pub(super) fn new(op: Op, args: Vec<Self>, kind: DataType) -> Self {
        Self { op, args, kind }
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self.op, Op::Literal(_) | Op::Number(_))
    }

    /// The field that it is, if it is nothing else.
    pub(crate) fn field(&self) -> Option<&str> {
        match &self.op {
            Op::Column { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Names of the fields that it reads.
    pub(crate) fn fields(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.visit(&mut |node| found.extend(node.field().map(str::to_owned)));
        found
    }

    fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        self.args.iter().for_each(|arg| arg.visit(see));
    }

    /// The same over other positions of the fields. `None`: a field is missing.
    pub(super) fn placed(&self, position: &impl Fn(&str) -> Option<usize>) -> Option<Self> {
        let op = match &self.op {
            Op::Column { name, .. } => Op::Column { name: name.clone(), index: position(name)? },
            other => other.clone(),
        };
        let args = self.args.iter().map(|arg| arg.placed(position)).collect::<Option<_>>()?;
        Some(Self { op, args, kind: self.kind.clone() })
    }

    /// Whether there are values that it cannot be computed of.
    pub(super) fn is_partial(&self) -> bool {
        let mut is_partial = false;
        self.visit(&mut |node| {
            use TextFunction::{Contains, EndsWith, Length, OctetLength, Position, StartsWith};
            is_partial |= match &node.op {
                Op::Arithmetic(_)
                | Op::Negate
                | Op::Absolute
                | Op::Round(_)
                | Op::Cast
                | Op::Known
                | Op::Part(_)
                | Op::Truncate(_)
                | Op::Shift { .. }
                | Op::Elapsed
                | Op::RegexCount { .. }
                | Op::RegexReplace { .. } => true,
                // What is not a number is neither equal nor unequal to anything.
                Op::Compare(_) | Op::Between | Op::In | Op::Extreme { .. } => node.args.iter().any(Self::is_float),
                Op::Case { compares } => *compares && node.args.iter().any(Self::is_float),
                Op::Text(function) => {
                    !matches!(function, Length | OctetLength | Position | Contains | StartsWith | EndsWith)
                }
                _ => false,
            };
        });
        is_partial
    }

    fn is_float(&self) -> bool {
        matches!(self.kind, DataType::Float32 | DataType::Float64)
    }

    /// Whether a text can come out that is longer than those that go in.
    pub(super) fn grows(&self) -> bool {
        let mut grows = false;
        self.visit(&mut |node| {
            use TextFunction::{Concat, ConcatWith, Join, Replace};
            grows |= matches!(node.op, Op::Text(Concat | ConcatWith | Join | Replace) | Op::RegexReplace { .. });
        });
        grows
    }
}

/// Deterministic, and different for what is computed differently: fingerprints are taken of it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.op {
            Op::Column { name, index } => return write!(f, "{name}@{index}"),
            Op::Number(number) => return f.write_str(number.text()),
            Op::Literal(value) => {
                let options = FormatOptions::new().with_null("null");
                let shown = ArrayFormatter::try_new(value, &options).map_err(|_| fmt::Error)?;
                return write!(f, "{:?}:{}", shown.value(0).to_string(), self.kind);
            }
            Op::Matches { matcher, negated } => write!(f, "matches[{matcher} {negated}]")?,
            Op::RegexCount { matcher } => write!(f, "regexp_count[{matcher}]")?,
            Op::RegexReplace { matcher, global, .. } => write!(f, "regexp_replace[{matcher} {global}]")?,
            other => write!(f, "{other:?}")?,
        }
        f.write_str("(")?;
        for (position, arg) in self.args.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{arg}")?;
        }
        f.write_str(")")?;
        if self.kind == DataType::Boolean { Ok(()) } else { write!(f, ":{}", self.kind) }
    }
}
