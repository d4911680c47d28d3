//! Regular expressions: patterns and flags are literals, compiled once.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_expr::Expr;

use super::call::counted;
use super::{Builder, Misfit, Result, literal};
use crate::sql::node::{Node, Op};
use crate::sql::patterns::{Matcher, Template};

impl Builder<'_> {
    /// The operators `~`, `~*` and their negations.
    pub(super) fn matches(&self, text: &Expr, pattern: &Expr, flags: &str, negated: bool) -> Result<Node> {
        let text = self.text(text)?;
        let matcher = self.matcher("~", pattern, flags)?;
        Ok(Node::new(Op::Matches { matcher, negated }, vec![text], DataType::Boolean))
    }

    pub(super) fn regexp_like(&self, args: &[Expr]) -> Result<Node> {
        counted("regexp_like", args.len(), 2, 3)?;
        let flags = self.flags("regexp_like", args.get(2))?;
        let text = self.text_argument("regexp_like", 0, &args[0])?;
        let matcher = self.matcher("regexp_like", &args[1], &flags)?;
        Ok(Node::new(Op::Matches { matcher, negated: false }, vec![text], DataType::Boolean))
    }

    pub(super) fn regexp_count(&self, args: &[Expr]) -> Result<Node> {
        counted("regexp_count", args.len(), 2, 4)?;
        let flags = self.flags("regexp_count", args.get(3))?;
        let mut operands = vec![self.text_argument("regexp_count", 0, &args[0])?];
        if let Some(start) = args.get(2) {
            operands.push(self.whole_argument("regexp_count", 2, start)?);
        }
        let matcher = self.matcher("regexp_count", &args[1], &flags)?;
        Ok(Node::new(Op::RegexCount { matcher }, operands, DataType::Int64))
    }

    pub(super) fn regexp_replace(&self, args: &[Expr]) -> Result<Node> {
        counted("regexp_replace", args.len(), 3, 4)?;
        let flags = self.flags("regexp_replace", args.get(3))?;
        let global = flags.contains('g');
        let text = self.text_argument("regexp_replace", 0, &args[0])?;
        let replacement = self.text_argument("regexp_replace", 2, &args[2])?;
        let template = literal::text_of(&replacement).map(|text| Arc::new(Template::read(&text)));
        let matcher = self.matcher("regexp_replace", &args[1], &flags.replace('g', ""))?;
        Ok(Node::new(Op::RegexReplace { matcher, global, template }, vec![text, replacement], DataType::Utf8))
    }

    fn matcher(&self, name: &str, pattern: &Expr, flags: &str) -> Result<Arc<Matcher>> {
        let node = self.node(pattern)?;
        let pattern = literal::text_of(&node).ok_or_else(|| {
            Misfit::new(format!("the pattern of '{name}' is not a text literal")).help("allowed is a literal")
        })?;
        Matcher::regex(&pattern, flags).map(Arc::new).map_err(Misfit::new)
    }

    fn flags(&self, name: &str, flags: Option<&Expr>) -> Result<String> {
        let Some(flags) = flags else { return Ok(String::new()) };
        let text = literal::text_of(&self.node(flags)?).unwrap_or_else(|| "?".to_owned());
        let allowed = if name == "regexp_replace" { "gimsxU" } else { "imsxU" };
        if text.chars().all(|flag| allowed.contains(flag)) {
            return Ok(text);
        }
        Err(Misfit::new(format!("'{text}' are no flags of '{name}'"))
            .help(format!("allowed are the letters {allowed}")))
    }
}
