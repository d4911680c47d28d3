//! How deep an expression may be. Parsing, typing and planning walk it recursively, and none of them guards its stack.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Expr, Visit, Visitor};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Levels of an expression. What is deeper could exhaust the stack of those who walk it.
pub(super) const MAX_DEPTH: usize = 64;
/// Parentheses and prefixes inside each other, for the parser itself.
pub(super) const MAX_NESTING: usize = 24;
/// Operators and keywords of an expression; bounds the stack of those who measure the depth.
const MAX_OPERATORS: usize = 200;

/// Whether a text has so many operators that its tree could be too deep to be measured.
pub(super) fn is_too_long(tokens: &[TokenWithSpan]) -> bool {
    tokens.iter().filter(|token| deepens(&token.token)).count() > MAX_OPERATORS
}

/// Whether a tree is too deep to be worked on.
pub(super) fn is_too_deep(parsed: &Expr) -> bool {
    let mut depth = Depth::default();
    let _ = parsed.visit(&mut depth);
    depth.deepest > MAX_DEPTH
}

/// Whether a token can make a syntax tree deeper. Parentheses are limited by the parser itself.
fn deepens(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen => false,
        _ => true,
    }
}

/// Measures how deep a syntax tree is.
#[derive(Default)]
struct Depth {
    now: usize,
    deepest: usize,
}

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.now += 1;
        self.deepest = self.deepest.max(self.now);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.now -= 1;
        ControlFlow::Continue(())
    }
}
