//! Fields separated by spaces, behind a version.

use std::str::FromStr;

use super::ProgressError;

/// Stands between the meaning that the pipeline has and the one before.
pub(super) const DIVIDER: &str = "/";
/// Stands before what the log has lost.
pub(super) const LOST: &str = "lost";

/// What follows the version, field by field.
pub(super) struct Fields<'a> {
    pub version: u8,
    rest: std::iter::Peekable<std::str::Split<'a, char>>,
    number: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn of(metadata: &'a str, newest: u8) -> Result<Self, ProgressError> {
        let mut rest = metadata.split(' ').peekable();
        let found = rest.next().unwrap_or_default();
        match found.parse() {
            Ok(version) if (1..=newest).contains(&version) => Ok(Self { version, rest, number: 0 }),
            _ => Err(ProgressError::OtherVersion { found: found.to_owned(), newest }),
        }
    }

    pub(super) fn is_more(&mut self) -> bool {
        self.rest.peek().is_some_and(|next| *next != DIVIDER && *next != LOST)
    }

    /// Whether nothing follows.
    pub(super) fn is_end(&mut self) -> bool {
        self.rest.peek().is_none()
    }

    /// Goes on behind the marker of losses, if it stands here.
    pub(super) fn losses(&mut self) -> bool {
        let found = self.version >= 4 && self.rest.next_if_eq(&LOST).is_some();
        self.number += usize::from(found);
        found
    }

    /// Goes on behind the divider.
    pub(super) fn divider(&mut self) -> Result<(), ProgressError> {
        let divider: String = self.next()?;
        if divider == DIVIDER { Ok(()) } else { Err(ProgressError::ParseField { field: self.number, text: divider }) }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), ProgressError> {
        match self.rest.next() {
            None => Ok(()),
            Some(text) => Err(ProgressError::ParseField { field: self.number + 1, text: text.to_owned() }),
        }
    }

    pub(super) fn next<T: FromStr>(&mut self) -> Result<T, ProgressError> {
        self.number += 1;
        let text = self.rest.next().unwrap_or_default();
        text.parse().map_err(|_| ProgressError::ParseField { field: self.number, text: text.to_owned() })
    }

    pub(super) fn list<T: FromStr>(&mut self) -> Result<Vec<T>, ProgressError> {
        self.number += 1;
        if self.rest.next_if_eq(&"-").is_some() {
            return Ok(Vec::new());
        }
        let text = self.rest.next().unwrap_or_default();
        let parsed = text.split(',').map(str::parse).collect::<Result<_, _>>();
        parsed.map_err(|_| ProgressError::ParseField { field: self.number, text: text.to_owned() })
    }

    pub(super) fn optional<T: FromStr>(&mut self) -> Result<Option<T>, ProgressError> {
        if self.rest.next_if_eq(&"-").is_some() {
            self.number += 1;
            return Ok(None);
        }
        self.next().map(Some)
    }
}
