//! From a parsed expression to a typed one. Every type is decided here, once, by the law of `docs/concepts/values.md`.

mod arithmetic;
mod call;
mod choice;
mod convert;
mod literal;
mod regex;

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{Between, InList, Like};
use datafusion_expr::{BinaryExpr, Case, Expr, Operator};

use super::node::{Arithmetic, Comparison, Node, Op, TextFunction};
use super::patterns::Matcher;
use super::text::byte_at;
use crate::avro::Fields;
use crate::types::{self, Kind, kind};

/// Why an expression has no type.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Bytes of the text, where they are known.
    pub(crate) place: Option<Range<usize>>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

type Result<T> = std::result::Result<T, Misfit>;

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Types expressions over the fields of a schema.
pub(super) struct Builder<'a> {
    pub(super) fields: &'a Fields,
    /// The text that places are counted in.
    pub(super) sql: &'a str,
    /// Whether only finite floats of fields are values, as rules about fields have it.
    pub(super) finite: bool,
}

impl Builder<'_> {
    /// Types a whole expression.
    pub(super) fn build(&self, expr: &Expr) -> Result<Node> {
        self.node(expr).map(literal::alone)
    }

    /// Types an expression; numbers that stand alone are left for what they will stand beside.
    fn node(&self, expr: &Expr) -> Result<Node> {
        match expr {
            Expr::Alias(alias) => self.node(&alias.expr),
            Expr::Column(column) => self.column(&column.name),
            Expr::Literal(value, _) => literal::constant(value),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Not(inner) => Ok(Node::new(Op::Not, vec![self.condition(inner)?], DataType::Boolean)),
            Expr::Negative(inner) => self.negative(inner),
            Expr::IsNull(inner) => self.is_null(inner, false),
            Expr::IsNotNull(inner) => self.is_null(inner, true),
            Expr::IsUnknown(inner) => self.condition(inner).map(|inner| null_test(inner, false)),
            Expr::IsNotUnknown(inner) => self.condition(inner).map(|inner| null_test(inner, true)),
            Expr::IsTrue(inner) => self.is(inner, true, false),
            Expr::IsNotTrue(inner) => self.is(inner, true, true),
            Expr::IsFalse(inner) => self.is(inner, false, false),
            Expr::IsNotFalse(inner) => self.is(inner, false, true),
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.in_list(list),
            Expr::Like(like) => self.like(like),
            Expr::Case(case) => self.case(case),
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type()),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type()),
            Expr::ScalarFunction(function) => self.call(&function.func, &function.args, expr),
            other => Err(Misfit::new(format!("{} cannot be used", shown(other)))),
        }
    }

    fn column(&self, name: &str) -> Result<Node> {
        let (data_type, index) = self
            .fields
            .logical()
            .index_of_column_by_name(None, name)
            .map(|index| (self.fields.logical().field(index).data_type(), index))
            .ok_or_else(|| Misfit::new(format!("the schema has no field '{name}'")))?;
        let data_type = match data_type {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        let column = Node::new(Op::Column { name: name.to_owned(), index }, vec![], data_type.clone());
        let is_float = matches!(data_type, DataType::Float32 | DataType::Float64);
        Ok(if self.finite && is_float { Node::new(Op::Finite, vec![column], data_type.clone()) } else { column })
    }

    fn is_null(&self, inner: &Expr, negated: bool) -> Result<Node> {
        Ok(null_test(literal::alone(self.node(inner)?), negated))
    }

    fn is(&self, inner: &Expr, value: bool, negated: bool) -> Result<Node> {
        Ok(Node::new(Op::Is { value, negated }, vec![self.condition(inner)?], DataType::Boolean))
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<Node> {
        let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
        let compare = |op| self.compare(Op::Compare(op), left, right);
        match binary.op {
            Operator::And => {
                Ok(Node::new(Op::And, vec![self.condition(left)?, self.condition(right)?], DataType::Boolean))
            }
            Operator::Or => {
                Ok(Node::new(Op::Or, vec![self.condition(left)?, self.condition(right)?], DataType::Boolean))
            }
            Operator::Eq => compare(Comparison::Equal),
            Operator::NotEq => compare(Comparison::NotEqual),
            Operator::Lt => compare(Comparison::Less),
            Operator::LtEq => compare(Comparison::LessOrEqual),
            Operator::Gt => compare(Comparison::Greater),
            Operator::GtEq => compare(Comparison::GreaterOrEqual),
            Operator::IsDistinctFrom => self.compare(Op::Distinct { negated: false }, left, right),
            Operator::IsNotDistinctFrom => self.compare(Op::Distinct { negated: true }, left, right),
            Operator::Plus => self.arithmetic(Arithmetic::Add, left, right),
            Operator::Minus => self.arithmetic(Arithmetic::Subtract, left, right),
            Operator::Multiply => self.arithmetic(Arithmetic::Multiply, left, right),
            Operator::Divide => self.arithmetic(Arithmetic::Divide, left, right),
            Operator::Modulo => self.arithmetic(Arithmetic::Modulo, left, right),
            Operator::StringConcat => {
                let parts = vec![self.printed(left)?, self.printed(right)?];
                Ok(Node::new(Op::Text(TextFunction::Join), parts, DataType::Utf8))
            }
            Operator::RegexMatch => self.matches(left, right, "", false),
            Operator::RegexIMatch => self.matches(left, right, "i", false),
            Operator::RegexNotMatch => self.matches(left, right, "", true),
            Operator::RegexNotIMatch => self.matches(left, right, "i", true),
            other => Err(Misfit::new(format!("the operator '{other}' cannot be used"))),
        }
    }

    /// Two sides of one kind, numbers beside them typed.
    fn compare(&self, op: Op, left: &Expr, right: &Expr) -> Result<Node> {
        let (a, b) = self.meet(self.node(left)?, self.node(right)?, left, right)?;
        Ok(Node::new(op, vec![a, b], DataType::Boolean))
    }

    /// Both sides are of one kind, or one of them is null, or one is a time and the other a text literal.
    fn meet(&self, a: Node, b: Node, left: &Expr, right: &Expr) -> Result<(Node, Node)> {
        let refused = || self.refuse("compare", (left, &a), (right, &b));
        let kinds = (kind(&a.kind), kind(&b.kind));
        Ok(match kinds {
            (Kind::Null, _) => (literal::null(&b.kind), literal::alone(b)),
            (_, Kind::Null) => {
                let null = literal::null(&a.kind);
                (literal::alone(a), null)
            }
            (Kind::Number, Kind::Number) => {
                let (left, right) = (literal::beside(&a, &b), literal::beside(&b, &a));
                (left, right)
            }
            (Kind::Time, Kind::Text) if b.is_literal() => {
                let time = self.time_literal(&b, &a.kind, right)?;
                (a, time)
            }
            (Kind::Text, Kind::Time) if a.is_literal() => {
                let time = self.time_literal(&a, &b.kind, left)?;
                (time, b)
            }
            (Kind::Time, Kind::Time) if arithmetic::is_clock(&a.kind) != arithmetic::is_clock(&b.kind) => {
                return Err(refused());
            }
            (Kind::Interval, Kind::Interval) => (self.span(a, left)?, self.span(b, right)?),
            (Kind::Nested, _) | (_, Kind::Nested) => return Err(refused()),
            (Kind::Binary, Kind::Binary) if a.kind != b.kind => return Err(refused()),
            (one, other) if one == other => (a, b),
            _ => return Err(refused()),
        })
    }

    fn between(&self, between: &Between) -> Result<Node> {
        let value = self.node(&between.expr)?;
        if matches!(value.op, Op::Number(_)) {
            let low = self.compare(Op::Compare(Comparison::GreaterOrEqual), &between.expr, &between.low)?;
            let high = self.compare(Op::Compare(Comparison::LessOrEqual), &between.expr, &between.high)?;
            return Ok(negated_if(between.negated, Node::new(Op::And, vec![low, high], DataType::Boolean)));
        }
        let (_, low) = self.meet(value.clone(), self.node(&between.low)?, &between.expr, &between.low)?;
        let (value, high) = self.meet(value, self.node(&between.high)?, &between.expr, &between.high)?;
        let within = Node::new(Op::Between, vec![value, low, high], DataType::Boolean);
        Ok(negated_if(between.negated, within))
    }

    fn in_list(&self, list: &InList) -> Result<Node> {
        let value = self.node(&list.expr)?;
        if matches!(value.op, Op::Number(_)) {
            let equal = |item| self.compare(Op::Compare(Comparison::Equal), &list.expr, item);
            let all = list.list.iter().map(equal).collect::<Result<Vec<_>>>()?.into_iter();
            let any = all.reduce(|any, one| Node::new(Op::Or, vec![any, one], DataType::Boolean));
            return Ok(negated_if(list.negated, any.unwrap_or_else(|| literal::null(&DataType::Boolean))));
        }
        let mut args = vec![literal::alone(value.clone())];
        for item in &list.list {
            let (own, item) = self.meet(value.clone(), self.node(item)?, &list.expr, item)?;
            if value.is_literal() {
                args[0] = own;
            }
            args.push(item);
        }
        Ok(negated_if(list.negated, Node::new(Op::In, args, DataType::Boolean)))
    }

    fn like(&self, like: &Like) -> Result<Node> {
        let text = self.text(&like.expr)?;
        let pattern = self.text(&like.pattern)?;
        let Some(pattern) = literal::text_of(&pattern) else {
            return Err(self.at(&like.pattern, "the pattern of 'like' is not a literal").help("allowed is a literal"));
        };
        let matcher =
            Matcher::like(&pattern, like.case_insensitive, like.escape_char.unwrap_or('\\')).map_err(Misfit::new)?;
        Ok(Node::new(Op::Matches { matcher: Arc::new(matcher), negated: like.negated }, vec![text], DataType::Boolean))
    }

    fn case(&self, case: &Case) -> Result<Node> {
        let mut args = Vec::new();
        let operand = case.expr.as_ref().map(|operand| Ok((operand, self.node(operand)?))).transpose()?;
        // A number is compared in the kind of each value that it meets.
        let number = operand.as_ref().and_then(|(expr, node)| matches!(node.op, Op::Number(_)).then_some(*expr));
        let operand = operand.filter(|_| number.is_none());
        if let Some((_, node)) = &operand {
            args.push(literal::alone(node.clone()));
        }
        let mut values = Vec::new();
        let mut written: Vec<&Expr> = Vec::new();
        for (when, then) in &case.when_then_expr {
            args.push(match (&operand, number) {
                (Some((expr, node)), _) => self.meet(node.clone(), self.node(when)?, expr, when)?.1,
                (None, Some(number)) => self.compare(Op::Compare(Comparison::Equal), number, when)?,
                (None, None) => self.condition(when)?,
            });
            values.push(self.node(then)?);
            written.push(then);
        }
        if let Some(otherwise) = &case.else_expr {
            values.push(self.node(otherwise)?);
            written.push(otherwise);
        }
        let (values, common) = self.common(values, &written)?;
        let first = usize::from(operand.is_some());
        let mut conditions = args.split_off(first).into_iter();
        for value in values {
            args.extend(conditions.next());
            args.push(value);
        }
        Ok(Node::new(Op::Case { compares: operand.is_some() }, args, common))
    }

    fn condition(&self, expr: &Expr) -> Result<Node> {
        let node = self.node(expr)?;
        match kind(&node.kind) {
            Kind::Boolean => Ok(node),
            Kind::Null => Ok(literal::null(&DataType::Boolean)),
            _ => Err(self
                .at(expr, format!("{} is {}, not a condition", shown(expr), types::a(&node.kind)))
                .help("allowed between 'and', 'or' and 'not' are conditions")),
        }
    }

    /// A text that a pattern is matched against.
    fn text(&self, expr: &Expr) -> Result<Node> {
        let node = self.node(expr)?;
        match kind(&node.kind) {
            Kind::Text => Ok(node),
            Kind::Null => Ok(literal::null(&DataType::Utf8)),
            _ => Err(self
                .at(expr, format!("{} is {}, not a string", shown(expr), types::a(&node.kind)))
                .help("patterns are matched against strings")),
        }
    }

    fn refuse(&self, verb: &str, (left, a): (&Expr, &Node), (right, b): (&Expr, &Node)) -> Misfit {
        let side = |expr: &Expr, node: &Node| format!("{} ({})", shown(expr), types::name(&node.kind));
        let message = format!("cannot {verb} {} and {}", side(left, a), side(right, b));
        let place = self.place(left).or_else(|| self.place(right));
        Misfit { place, ..Misfit::new(message).help("allowed are types of one kind; convert with cast(… as …)") }
    }

    fn at(&self, expr: &Expr, message: impl Into<String>) -> Misfit {
        Misfit { place: self.place(expr), ..Misfit::new(message) }
    }

    /// The place of the first column in an expression.
    fn place(&self, expr: &Expr) -> Option<Range<usize>> {
        let spans = expr.column_refs().into_iter().filter_map(|column| column.spans().first());
        let at = |line: u64, column: u64| byte_at(self.sql, usize::try_from(line).ok()?, usize::try_from(column).ok()?);
        let spans =
            spans.filter_map(|span| Some(at(span.start.line, span.start.column)?..at(span.end.line, span.end.column)?));
        spans.min_by_key(|range| range.start)
    }
}

fn null_test(inner: Node, negated: bool) -> Node {
    Node::new(Op::IsNull { negated }, vec![inner], DataType::Boolean)
}

fn negated_if(negated: bool, node: Node) -> Node {
    if negated { Node::new(Op::Not, vec![node], DataType::Boolean) } else { node }
}

/// An expression in a message.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => format!("'{}'", column.name),
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => format!("'{text}'"),
        Expr::Literal(value, _) => value.to_string(),
        other => match literal::number_of(other) {
            Some(number) => number.text().to_owned(),
            None => format!("'{}'", literal::readable(other)),
        },
    }
}

/// A value in another type, where the types are known to fit.
pub(super) fn converted(node: Node, to: &DataType) -> Node {
    if node.kind == *to { node } else { Node::new(Op::Cast, vec![node], to.clone()) }
}

/// A text as a time of a type, for rules. `None`: it is not one.
pub(crate) fn read_time(text: &str, to: &DataType) -> Option<ScalarValue> {
    let text = literal::constant(&text.into()).ok()?;
    let time = literal::folded(Node::new(Op::Cast, vec![text], to.clone())).ok()?;
    let Op::Literal(array) = &time.op else { return None };
    ScalarValue::try_from_array(array, 0).ok().filter(|value| !value.is_null())
}
