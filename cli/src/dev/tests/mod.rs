//! Drawing, lines and the summary, from fixed reports and files.

mod drawing;
mod summing;
