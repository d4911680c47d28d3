//! A dead letter that was too large for its topic says where its record is: here that record is put back into it.
//!
//! What it keeps true: what comes back is the very record that was refused, by the digest that the letter carries, or nothing.

use std::fmt;

use plan::Plan;
use schemas::letters::digest;

use super::letter::Letter;
use crate::stretch::{Finder, StretchError};

/// Why a letter stays without what was left out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The source topic does not hold the record any more.
    Expired,
    /// There is another record at its place: the topic was created again.
    Other,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the source topic does not hold the record any more",
            Self::Other => "the source topic holds another record at its place",
        })
    }
}

/// Puts what was left out of a letter back into it, from the source topic.
///
/// # Errors
/// The broker's.
pub fn whole(finder: &Finder, letter: &mut Letter) -> Result<Result<(), Gone>, StretchError> {
    let Some(cut) = letter.cut.take() else { return Ok(Ok(())) };
    let Some(found) = finder.find(letter.partition, letter.offset)? else {
        letter.cut = Some(cut);
        return Ok(Err(Gone::Expired));
    };
    let value = found.value.as_deref().unwrap_or_default();
    if value.len() as u64 != cut.bytes || digest(value) != cut.digest {
        letter.cut = Some(cut);
        return Ok(Err(Gone::Other));
    }
    (letter.record.key, letter.record.value, letter.record.headers) = (found.key, found.value, found.headers);
    Ok(Ok(()))
}

/// Letters as they were refused, and those of which the rest is gone.
pub struct Whole {
    /// Nothing is left out of these.
    pub letters: Vec<Letter>,
    /// What was left out of these is not there any more.
    pub gone: Vec<(Letter, Gone)>,
}

/// Puts back into all of them what was left out.
///
/// # Errors
/// The broker's.
pub fn all(plan: &Plan, letters: Vec<Letter>) -> Result<Whole, StretchError> {
    let finder = Finder::open(plan, &plan.source.topic)?;
    let (mut found, mut gone) = (Vec::new(), Vec::new());
    for mut letter in letters {
        match whole(&finder, &mut letter)? {
            Ok(()) => found.push(letter),
            Err(why) => gone.push((letter, why)),
        }
    }
    Ok(Whole { letters: found, gone })
}
