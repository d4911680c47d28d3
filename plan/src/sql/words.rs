//! Fields that have the name of a word of SQL: `user`, `order`, `current_date`. The field is meant, where it can be.

use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::avro::Fields;

/// Words that build expressions; a field of such a name is written in double quotes.
const STRUCTURE: &[Keyword] = &[
    Keyword::AND,
    Keyword::AS,
    Keyword::BETWEEN,
    Keyword::BOTH,
    Keyword::CASE,
    Keyword::CAST,
    Keyword::DISTINCT,
    Keyword::ELSE,
    Keyword::END,
    Keyword::ESCAPE,
    Keyword::EXISTS,
    Keyword::EXTRACT,
    Keyword::FALSE,
    Keyword::FILTER,
    Keyword::FOR,
    Keyword::FROM,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::INTERVAL,
    Keyword::IS,
    Keyword::LEADING,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::NULL,
    Keyword::OR,
    Keyword::THEN,
    Keyword::TRAILING,
    Keyword::TRUE,
    Keyword::UNKNOWN,
    Keyword::WHEN,
    Keyword::WHERE,
];

/// Units of intervals and parts of times, which are fields only where nothing like that can stand.
const UNITS: &[Keyword] = &[
    Keyword::YEAR,
    Keyword::QUARTER,
    Keyword::MONTH,
    Keyword::WEEK,
    Keyword::DAY,
    Keyword::DOY,
    Keyword::DOW,
    Keyword::EPOCH,
    Keyword::HOUR,
    Keyword::MINUTE,
    Keyword::SECOND,
    Keyword::MILLISECOND,
    Keyword::MICROSECOND,
    Keyword::NANOSECOND,
];

/// Quotes the words that are names of fields, unless they are called, begin a literal or build the expression.
pub(super) fn quote_fields(tokens: &mut [TokenWithSpan], fields: &Fields) {
    let shown: Vec<usize> =
        (0..tokens.len()).filter(|index| !matches!(tokens[*index].token, Token::Whitespace(_))).collect();
    for (position, index) in shown.iter().enumerate() {
        let before = position.checked_sub(1).map(|before| &tokens[shown[before]].token);
        let next = shown.get(position + 1).map(|next| &tokens[*next].token);
        let Token::Word(word) = &tokens[*index].token else { continue };
        let is_free = word.quote_style.is_none()
            && word.keyword != Keyword::NoKeyword
            && !STRUCTURE.contains(&word.keyword)
            && fields.get(&word.value).is_some();
        let begins = matches!(next, Some(Token::LParen | Token::SingleQuotedString(_)));
        let is_unit = UNITS.contains(&word.keyword)
            && (matches!(before, Some(Token::LParen))
                && matches!(next, Some(Token::Word(word)) if word.keyword == Keyword::FROM)
                || matches!(before, Some(Token::SingleQuotedString(_) | Token::Number(..))));
        // `cast(x as date)`: the name of a type.
        let is_type = matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::AS);
        if is_free
            && !begins
            && !is_unit
            && !is_type
            && let Token::Word(word) = &mut tokens[*index].token
        {
            word.quote_style = Some('"');
            word.keyword = Keyword::NoKeyword;
        }
    }
}

/// The fields of a schema that a text which does not parse may mean: words of SQL that it would have to quote.
pub(super) fn to_quote<'a>(tokens: &'a [TokenWithSpan], fields: &'a Fields) -> Option<&'a str> {
    tokens.iter().find_map(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword != Keyword::NoKeyword => {
            fields.get(&word.value).map(|_| word.value.as_str())
        }
        _ => None,
    })
}
