//! Calls of functions: how many arguments they take, of which types, and what they give.

use arrow_schema::DataType;
use datafusion_expr::{Expr, ScalarUDF};

use super::arithmetic::digits;
use super::{Builder, Misfit, Result, literal, shown};
use crate::sql::calendar::{FIELDS, Field, TRUNCATIONS, Truncation};
use crate::sql::node::{Node, Op, Rounding, TextFunction};
use crate::sql::number::DIGITS;
use crate::types::{self, Kind, kind};

/// A call as it is written.
struct Call<'a> {
    name: &'a str,
    args: &'a [Expr],
}

impl Call<'_> {
    fn takes(&self, least: usize, most: usize) -> Result<()> {
        counted(self.name, self.args.len(), least, most)
    }
}

/// What an argument must be.
#[derive(Clone, Copy)]
enum Wants {
    Text,
    Whole,
}

impl Builder<'_> {
    pub(super) fn call(&self, function: &ScalarUDF, args: &[Expr], expr: &Expr) -> Result<Node> {
        use TextFunction as Of;
        use Wants::{Text, Whole};
        if let Some(number) = literal::number_of(expr) {
            return Ok(literal::number(number));
        }
        let call = &Call { name: function.name(), args };
        let trim = |start, end| self.texts(call, Of::Trim { start, end }, &[Text, Text], 1, DataType::Utf8);
        match call.name {
            "character_length" => self.texts(call, Of::Length, &[Text], 1, DataType::Int64),
            "octet_length" => self.texts(call, Of::OctetLength, &[Text], 1, DataType::Int64),
            "lower" => self.texts(call, Of::Lower, &[Text], 1, DataType::Utf8),
            "upper" => self.texts(call, Of::Upper, &[Text], 1, DataType::Utf8),
            "reverse" => self.texts(call, Of::Reverse, &[Text], 1, DataType::Utf8),
            "btrim" => trim(true, true),
            "ltrim" => trim(true, false),
            "rtrim" => trim(false, true),
            "left" => self.texts(call, Of::Left, &[Text, Whole], 2, DataType::Utf8),
            "right" => self.texts(call, Of::Right, &[Text, Whole], 2, DataType::Utf8),
            "substr" => self.texts(call, Of::Substring, &[Text, Whole, Whole], 2, DataType::Utf8),
            "strpos" => self.texts(call, Of::Position, &[Text, Text], 2, DataType::Int64),
            "contains" => self.texts(call, Of::Contains, &[Text, Text], 2, DataType::Boolean),
            "starts_with" => self.texts(call, Of::StartsWith, &[Text, Text], 2, DataType::Boolean),
            "ends_with" => self.texts(call, Of::EndsWith, &[Text, Text], 2, DataType::Boolean),
            "replace" => self.texts(call, Of::Replace, &[Text, Text, Text], 3, DataType::Utf8),
            "split_part" => self.split_part(call),
            "concat" => self.joined(call, Of::Concat, 1),
            "concat_ws" => self.joined(call, Of::ConcatWith, 2),
            "regexp_like" => self.regexp_like(call.args),
            "regexp_count" => self.regexp_count(call.args),
            "regexp_replace" => self.regexp_replace(call.args),
            "coalesce" | "nvl" => self.chosen(call, Op::Coalesce),
            "greatest" => self.chosen(call, Op::Extreme { largest: true }),
            "least" => self.chosen(call, Op::Extreme { largest: false }),
            "nullif" => self.nullif(call),
            "abs" => self.signed(call, Op::Absolute),
            "signum" => self.signed(call, Op::Sign),
            "round" => self.rounded(call, Rounding::Nearest, 2),
            "trunc" => self.rounded(call, Rounding::Truncate, 2),
            "ceil" => self.rounded(call, Rounding::Ceil, 1),
            "floor" => self.rounded(call, Rounding::Floor, 1),
            "date_part" => self.date_part(call),
            "date_trunc" => self.date_trunc(call),
            other => Err(Misfit::new(format!("there is no function '{other}'"))),
        }
    }

    fn texts(
        &self,
        call: &Call<'_>,
        function: TextFunction,
        wants: &[Wants],
        least: usize,
        gives: DataType,
    ) -> Result<Node> {
        call.takes(least, wants.len())?;
        let args = wants.iter().zip(call.args).enumerate();
        let args = args.map(|(position, (wants, arg))| self.wanted(call.name, position, *wants, arg));
        Ok(Node::new(Op::Text(function), args.collect::<Result<_>>()?, gives))
    }

    fn wanted(&self, name: &str, position: usize, wants: Wants, arg: &Expr) -> Result<Node> {
        let node = literal::alone(self.node(arg)?);
        let (is_it, typed, what) = match wants {
            Wants::Text => (kind(&node.kind) == Kind::Text, DataType::Utf8, "a string"),
            Wants::Whole => (node.kind.is_integer(), DataType::Int64, "a whole number"),
        };
        match kind(&node.kind) {
            Kind::Null => Ok(literal::null(&typed)),
            _ if is_it => Ok(node),
            _ => {
                let message = format!(
                    "argument {} of '{name}', {}, is {}, not {what}",
                    position + 1,
                    shown(arg),
                    types::a(&node.kind)
                );
                Err(self.at(arg, message).help("convert with cast(… as …)"))
            }
        }
    }

    pub(super) fn text_argument(&self, name: &str, position: usize, arg: &Expr) -> Result<Node> {
        self.wanted(name, position, Wants::Text, arg)
    }

    pub(super) fn whole_argument(&self, name: &str, position: usize, arg: &Expr) -> Result<Node> {
        self.wanted(name, position, Wants::Whole, arg)
    }

    fn split_part(&self, call: &Call<'_>) -> Result<Node> {
        let wants = [Wants::Text, Wants::Text, Wants::Whole];
        let node = self.texts(call, TextFunction::SplitPart, &wants, 3, DataType::Utf8)?;
        let number = call.args.get(2).and_then(literal::number_of).and_then(|number| number.whole());
        if number == Some(0) {
            return Err(Misfit::new("field position must not be zero"));
        }
        Ok(node)
    }

    fn joined(&self, call: &Call<'_>, function: TextFunction, least: usize) -> Result<Node> {
        call.takes(least, usize::MAX)?;
        let args = call.args.iter().map(|arg| self.printed(arg)).collect::<Result<_>>()?;
        Ok(Node::new(Op::Text(function), args, DataType::Utf8))
    }

    fn chosen(&self, call: &Call<'_>, op: Op) -> Result<Node> {
        call.takes(if call.name == "nvl" { 2 } else { 1 }, if call.name == "nvl" { 2 } else { usize::MAX })?;
        let values = call.args.iter().map(|arg| self.node(arg)).collect::<Result<Vec<_>>>()?;
        let (values, common) = self.common(values, &call.args.iter().collect::<Vec<_>>())?;
        Ok(if common == DataType::Null { literal::null(&common) } else { Node::new(op, values, common) })
    }

    fn nullif(&self, call: &Call<'_>) -> Result<Node> {
        call.takes(2, 2)?;
        let (left, right) = (&call.args[0], &call.args[1]);
        let (value, other) = self.meet(self.node(left)?, self.node(right)?, left, right)?;
        let kind = value.kind.clone();
        Ok(Node::new(Op::NullIf, vec![value, other], kind))
    }

    /// A function of one number, which the message names otherwise.
    fn number(&self, call: &Call<'_>) -> Result<Node> {
        let arg = &call.args[0];
        let node = literal::alone(self.node(arg)?);
        match kind(&node.kind) {
            Kind::Number => Ok(node),
            Kind::Null => Ok(literal::null(&DataType::Int64)),
            _ => {
                let message =
                    format!("argument 1 of '{}', {}, is {}, not a number", call.name, shown(arg), types::a(&node.kind));
                Err(self.at(arg, message).help("convert with cast(… as …)"))
            }
        }
    }

    fn signed(&self, call: &Call<'_>, op: Op) -> Result<Node> {
        call.takes(1, 1)?;
        let node = self.number(call)?;
        let kind = match (&op, &node.kind) {
            (Op::Sign, DataType::Float32 | DataType::Float64) => DataType::Float64,
            (Op::Sign, _) | (_, DataType::Int32) => DataType::Int64,
            (_, DataType::Decimal256(_, scale)) => DataType::Decimal128(DIGITS, *scale),
            (_, own) => own.clone(),
        };
        Ok(Node::new(op, vec![node], kind))
    }

    /// Doubles stay doubles and whole numbers whole; decimals lose what is after the point unless digits are asked for.
    fn rounded(&self, call: &Call<'_>, rounding: Rounding, most: usize) -> Result<Node> {
        call.takes(1, most)?;
        let node = self.number(call)?;
        let (precision, scale) = digits(&node.kind);
        let kind = match &node.kind {
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            DataType::Int32 | DataType::Int64 => DataType::Int64,
            _ if call.args.len() > 1 => DataType::Decimal128((precision + 1).min(DIGITS), scale as i8),
            _ => DataType::Decimal128((precision - scale + 1).min(DIGITS), 0),
        };
        let mut args = vec![node];
        if let Some(digits) = call.args.get(1) {
            args.push(self.whole_argument(call.name, 1, digits)?);
        }
        Ok(Node::new(Op::Round(rounding), args, kind))
    }

    fn date_part(&self, call: &Call<'_>) -> Result<Node> {
        call.takes(2, 2)?;
        let name = self.word(call)?;
        let field = Field::named(&name).ok_or_else(|| {
            Misfit::new(format!("there is no part '{name}' of a time"))
                .help(format!("allowed are {}", FIELDS.join(", ")))
        })?;
        let arg = &call.args[1];
        let time = self.span(self.time(call, arg)?, arg)?;
        let fits = match kind(&time.kind) {
            Kind::Time if super::arithmetic::is_clock(&time.kind) => field.is_of_day(),
            Kind::Time => true,
            _ => field == Field::Epoch,
        };
        if !fits {
            let message = format!("{} has no part '{name}'", types::a(&time.kind));
            return Err(self
                .at(arg, message)
                .help("allowed of a time of day are hour to nanosecond, of an interval epoch"));
        }
        let kind = if field == Field::Epoch { DataType::Float64 } else { DataType::Int64 };
        Ok(Node::new(Op::Part(field), vec![time], kind))
    }

    fn date_trunc(&self, call: &Call<'_>) -> Result<Node> {
        call.takes(2, 2)?;
        let name = self.word(call)?;
        let to = Truncation::named(&name).ok_or_else(|| {
            Misfit::new(format!("a time cannot be cut to '{name}'"))
                .help(format!("allowed are {}", TRUNCATIONS.join(", ")))
        })?;
        let arg = &call.args[1];
        let time = self.time(call, arg)?;
        if kind(&time.kind) != Kind::Time || super::arithmetic::is_clock(&time.kind) {
            let message = format!("argument 2 of 'date_trunc', {}, is {}", shown(arg), types::a(&time.kind));
            return Err(self.at(arg, message).help("allowed are dates and timestamps"));
        }
        let kind = time.kind.clone();
        Ok(Node::new(Op::Truncate(to), vec![time], kind))
    }

    fn word(&self, call: &Call<'_>) -> Result<String> {
        let word = self.node(&call.args[0])?;
        literal::text_of(&word).ok_or_else(|| Misfit::new(format!("argument 1 of '{}' is not a literal", call.name)))
    }

    fn time(&self, call: &Call<'_>, arg: &Expr) -> Result<Node> {
        let node = self.node(arg)?;
        let timestamp = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("+00:00".into()));
        match kind(&node.kind) {
            Kind::Time | Kind::Interval => Ok(node),
            Kind::Null => Ok(literal::null(&timestamp)),
            Kind::Text if node.is_literal() => self.time_literal(&node, &timestamp, arg),
            _ => {
                let message =
                    format!("argument 2 of '{}', {}, is {}, not a time", call.name, shown(arg), types::a(&node.kind));
                Err(self.at(arg, message).help("allowed are dates and timestamps; convert with cast(… as timestamp)"))
            }
        }
    }
}

/// Refuses another number of arguments.
pub(super) fn counted(name: &str, found: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let help = match (least, most) {
        (least, usize::MAX) => format!("allowed are at least {least}"),
        (1, 1) => "allowed is 1".to_owned(),
        (least, most) if least == most => format!("allowed are {least}"),
        (least, most) => format!("allowed are {least} to {most}"),
    };
    Err(Misfit::new(format!("'{name}' has {found} arguments")).help(help))
}
