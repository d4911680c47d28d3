//! A user and a password, which nothing shows.

use std::fmt;

/// Who asks, and by what it is believed. It is not part of an address, is not written anywhere, and its password is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}
