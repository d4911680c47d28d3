//! The common type of values of which one is chosen: `coalesce`, `case`, `least`, `greatest`.

use arrow_schema::{DataType, TimeUnit};
use datafusion_expr::Expr;

use super::arithmetic::{finer, is_clock, places};
use super::{Builder, Result, literal};
use crate::sql::node::{Node, Op};
use crate::sql::number::DIGITS;
use crate::types::{self, Kind, kind};

impl Builder<'_> {
    /// The values in their common type.
    pub(super) fn common(&self, values: Vec<Node>, written: &[&Expr]) -> Result<(Vec<Node>, DataType)> {
        let mut target: Option<(usize, DataType)> = None;
        for (position, value) in values.iter().enumerate() {
            if kind(&value.kind) == Kind::Null {
                continue;
            }
            let own = match &value.op {
                Op::Number(number) => number.exact_type(),
                _ => value.kind.clone(),
            };
            target = Some(match target {
                None => (position, own),
                Some((first, so_far)) => {
                    let both = both(&so_far, &own, &values[first], value);
                    let refused =
                        || self.refuse("choose between", (written[first], &values[first]), (written[position], value));
                    // A text literal takes the type of a time that comes after it.
                    let stays = kind(&own) == Kind::Text || !(value.is_literal() || values[first].is_literal());
                    (if stays || kind(&own) != Kind::Time { first } else { position }, both.ok_or_else(refused)?)
                }
            });
        }
        let floats = values.iter().any(|value| value.kind == DataType::Float32 && !matches!(value.op, Op::Number(_)));
        let target = match target.map(|(_, target)| target) {
            None => DataType::Null,
            // Numbers are taken as floats where all that is not written is one.
            Some(DataType::Float64) if floats && values.iter().all(as_float) => DataType::Float32,
            Some(DataType::Int64) if values.iter().all(as_int) => DataType::Int32,
            Some(DataType::Decimal256(_, scale)) => DataType::Decimal128(DIGITS, scale),
            // Numbers alone are what each of them is alone.
            Some(_)
                if values.iter().all(|value| matches!(value.op, Op::Number(_)) && value.kind == DataType::Float64) =>
            {
                DataType::Float64
            }
            Some(target) => target,
        };
        let convert = |(position, value): (usize, Node)| self.to_common(value, &target, written[position]);
        let values = values.into_iter().enumerate().map(convert).collect::<Result<Vec<_>>>()?;
        Ok((values, target))
    }

    fn to_common(&self, value: Node, target: &DataType, written: &Expr) -> Result<Node> {
        match (&value.op, kind(&value.kind)) {
            (_, Kind::Null) => Ok(literal::null(target)),
            (Op::Number(number), _) if number.value(target).is_some() => Ok(literal::typed(number, target)),
            (Op::Number(number), _) => {
                let message = format!("{} has no room in {}", number.text(), types::a(target));
                Err(self.at(written, message).help("choose between values of fewer digits; convert with cast(… as …)"))
            }
            (_, Kind::Text) if kind(target) == Kind::Time => self.time_literal(&value, target, written),
            _ if value.kind == *target => Ok(value),
            (Op::Literal(_), Kind::Interval) => self.span(value, written),
            _ => Ok(Node::new(Op::Cast, vec![value], target.clone())),
        }
    }
}

/// The common type of two.
fn both(a: &DataType, b: &DataType, first: &Node, second: &Node) -> Option<DataType> {
    if a == b {
        return Some(a.clone()).filter(|kind_of| kind(kind_of) != Kind::Nested);
    }
    Some(match (kind(a), kind(b)) {
        (Kind::Number, Kind::Number) => {
            let is_float = |kind: &DataType| matches!(kind, DataType::Float32 | DataType::Float64);
            if is_float(a) || is_float(b) {
                DataType::Float64
            } else if a.is_integer() && b.is_integer() {
                DataType::Int64
            } else {
                let ((whole_a, scale_a), (whole_b, scale_b)) = (places(a), places(b));
                let scale = scale_a.max(scale_b);
                DataType::Decimal128((whole_a.max(whole_b) + scale).clamp(1, DIGITS), scale.min(DIGITS) as i8)
            }
        }
        (Kind::Time, Kind::Time) if !is_clock(a) && !is_clock(b) => {
            let zone = match (a, b) {
                (DataType::Timestamp(_, Some(zone)), _) | (_, DataType::Timestamp(_, Some(zone))) => Some(zone.clone()),
                _ => None,
            };
            DataType::Timestamp(finer(a, b).max(TimeUnit::Millisecond), zone)
        }
        (Kind::Time, Kind::Text) if second.is_literal() => a.clone(),
        (Kind::Text, Kind::Time) if first.is_literal() => b.clone(),
        (Kind::Interval, Kind::Interval) => DataType::Duration(finer(a, b)),
        _ => return None,
    })
}

fn as_float(value: &Node) -> bool {
    match &value.op {
        Op::Number(number) => number.float().is_some(),
        _ => matches!(value.kind, DataType::Float32 | DataType::Null),
    }
}

fn as_int(value: &Node) -> bool {
    match &value.op {
        Op::Number(number) => number.whole().is_some_and(|whole| i32::try_from(whole).is_ok()),
        _ => matches!(value.kind, DataType::Int32 | DataType::Null),
    }
}
