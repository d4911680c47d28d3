//! Expressions, and how they are written.

use std::fmt;

/// An expression. Numbers keep their text; a negative one has its sign in it.
#[derive(Debug, Clone)]
pub enum Expr {
    Field(&'static str),
    Number(&'static str),
    Text(&'static str),
    /// An operator between two, with its symbol.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `-`, `not`.
    Prefix(&'static str, Box<Expr>),
    /// ` is null`, ` is not true` and so on.
    Suffix(&'static str, Box<Expr>),
    Between(bool, Box<[Expr; 3]>),
    In(bool, Box<Expr>, Vec<Expr>),
    /// The operand, if there is one; conditions and values; otherwise.
    Case(Option<Box<Expr>>, Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Call(&'static str, Vec<Expr>),
    Cast(Box<Expr>, To),
    Like(bool, Box<Expr>, &'static str),
    /// A time moved by an interval: its text, months, days and nanoseconds.
    Shift(bool, Box<Expr>, (&'static str, i64, i64, i128)),
    /// `date_part('epoch', a - b)`.
    Elapsed(Box<Expr>, Box<Expr>),
}

/// Targets of casts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Int,
    Long,
    Decimal(u8, u8),
    Float,
    Double,
    Text,
    Boolean,
    Date,
    Timestamp,
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int => f.write_str("int"),
            Self::Long => f.write_str("bigint"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision}, {scale})"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Text => f.write_str("varchar"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
        }
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { "not " } else { "" };
        match self {
            Self::Field(text) | Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Binary(op, a, b) => write!(f, "({a} {op} {b})"),
            Self::Prefix(op, a) => write!(f, "({op} {a})"),
            Self::Suffix(op, a) => write!(f, "({a}{op})"),
            Self::Between(negated, of) => write!(f, "({} {}between {} and {})", of[0], not(negated), of[1], of[2]),
            Self::In(negated, a, items) => write!(f, "({a} {}in ({}))", not(negated), list(items)),
            Self::Case(operand, branches, otherwise) => {
                f.write_str("case")?;
                operand.iter().try_for_each(|operand| write!(f, " {operand}"))?;
                branches.iter().try_for_each(|(when, then)| write!(f, " when {when} then {then}"))?;
                otherwise.iter().try_for_each(|otherwise| write!(f, " else {otherwise}"))?;
                f.write_str(" end")
            }
            Self::Call(name, args) => write!(f, "{name}({})", list(args)),
            Self::Cast(a, to) => write!(f, "cast({a} as {to})"),
            Self::Like(negated, a, pattern) => write!(f, "({a} {}like '{pattern}')", not(negated)),
            Self::Shift(back, a, (text, ..)) => write!(f, "({a} {} interval '{text}')", if *back { "-" } else { "+" }),
            Self::Elapsed(a, b) => write!(f, "date_part('epoch', {a} - {b})"),
        }
    }
}
