//! Drawing, lines and the summary, from fixed reports and files.

mod choosing;
mod drawing;
mod summing;
