//! Small logs told aloud: what happens, what is expected, and why. Window 10, delay 5 unless said otherwise.

mod batches;
mod closing;
mod publish;
mod replay;
mod teller;
mod verdicts;
