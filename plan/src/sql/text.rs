//! From the text of an expression to its syntax tree, and from places in the text to bytes.

use std::ops::Range;

use datafusion_sql::sqlparser::ast::{self, Spanned};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token, Tokenizer};

use super::depth::{self, MAX_DEPTH, MAX_NESTING};
use super::words;
use crate::avro::Fields;
use crate::{Path, Problem, codes};

/// The text of an expression and where it stands in the manifest.
#[derive(Debug, Clone)]
pub(crate) struct Text<'a> {
    pub(crate) sql: &'a str,
    pub(crate) path: Path,
    /// What the expression is, for messages: `filter`, `measure`.
    pub(crate) what: &'static str,
}

impl Text<'_> {
    /// A problem inside this text.
    pub(crate) fn problem(
        &self,
        code: &'static str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
    ) -> Problem {
        Problem::new(code, self.path.clone(), message).at(span)
    }
}

/// Parses one expression, to the end of the text. Fields win over words of SQL, where they are given.
pub(crate) fn parse(source: &Text<'_>, fields: Option<&Fields>) -> Result<ast::Expr, Problem> {
    let syntax = |reason: &str, span| {
        source.problem(codes::SQL_SYNTAX, span, format!("the {} does not parse: {}", source.what, lower_first(reason)))
    };
    if source.sql.trim().is_empty() {
        return Err(syntax("it is empty", Some(0..source.sql.len())));
    }
    let refused = |error: ParserError| {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => "it is too deep".to_owned(),
        };
        let (reason, place) = split_location(&text);
        let end = source.sql.trim_end().len();
        let place = place.and_then(|(line, column)| byte_at(source.sql, line, column)).unwrap_or(end);
        syntax(reason, Some(token_at(source.sql, place)))
    };
    let deep = || too_deep(source);
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, source.sql).tokenize_with_location();
    let mut tokens = tokens.map_err(|error| refused(error.into()))?;
    if depth::is_too_long(&tokens) {
        return Err(deep());
    }
    if let Some(fields) = fields {
        words::quote_fields(&mut tokens, fields);
    }
    let hint = fields.and_then(|fields| words::to_quote(&tokens, fields)).map(str::to_owned);
    let hinted = |problem: Problem| match &hint {
        Some(field) => {
            problem.help(format!("the field '{field}' has the name of a word of SQL; write it as \"{field}\""))
        }
        None => problem,
    };
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_NESTING).with_tokens_with_locations(tokens);
    let parsed = parser.parse_expr().map_err(|error| match error {
        ParserError::RecursionLimitExceeded => deep(),
        other => hinted(refused(other)),
    })?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let place = bytes_of(source.sql, next.span);
        let found = match &next.token {
            Token::Word(word) => word.value.clone(),
            other => other.to_string(),
        };
        return Err(hinted(syntax(&format!("expected its end, found: {found}"), place)));
    }
    if depth::is_too_deep(&parsed) { Err(deep()) } else { Ok(parsed) }
}

/// The problem of an expression that is too deep.
fn too_deep(source: &Text<'_>) -> Problem {
    let message = format!("the {} is nested too deeply", source.what);
    source.problem(codes::SQL_UNSUPPORTED, Some(0..source.sql.len()), message).help(format!(
        "allowed are {MAX_NESTING} parentheses and {MAX_DEPTH} operators inside each other; 'in (…)' takes long lists"
    ))
}

/// The bytes of a node of the syntax tree.
pub(crate) fn span(source: &Text<'_>, node: &ast::Expr) -> Option<Range<usize>> {
    bytes_of(source.sql, node.span())
}

/// The bytes of a span, if it is one.
pub(crate) fn bytes_of(sql: &str, span: Span) -> Option<Range<usize>> {
    let at = |place: Location| byte_at(sql, usize::try_from(place.line).ok()?, usize::try_from(place.column).ok()?);
    let (start, end) = (at(span.start)?, at(span.end)?);
    (start < end).then_some(start..end)
}

/// The byte at a line and a column, both counted in characters from 1.
pub(crate) fn byte_at(text: &str, line: usize, column: usize) -> Option<usize> {
    let line_start = match line {
        0 => return None,
        1 => 0,
        _ => text.match_indices('\n').nth(line - 2)?.0 + 1,
    };
    let rest = &text[line_start..];
    let offset = rest.char_indices().map(|(byte, _)| byte).chain([rest.len()]).nth(column.checked_sub(1)?)?;
    Some(line_start + offset)
}

/// With the first letter in lower case, as messages are.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Splits the parser's ` at Line: 1, Column: 5` off its message.
fn split_location(message: &str) -> (&str, Option<(usize, usize)>) {
    let Some((reason, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let place = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some((line.trim().parse().ok()?, column.trim().parse().ok()?)));
    (reason, place)
}

/// The word or the single character at a byte.
fn token_at(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let word: usize = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start..start + word.max(one)
}
