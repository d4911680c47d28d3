//! The laws of the contract, on the real core, in random worlds, against the oracle. No server is needed.
//!
//! | law | file |
//! |---|---|
//! | L1 conservation, L2 batch-cut invariance | `cuts` |
//! | L3 crash invariance | `crash` |
//! | L4 placement invariance, also over several outputs | `placement` |
//! | L5 monotone, L8 bounded | `bounds` |
//! | L6 publish once, L7 nothing early | `once`, `rebuilt` |
//! | records that the log has lost | `loss`, what is published of them `marks` |
//! | another meaning from a boundary on | `change` |
//! | arithmetic | `arithmetic`, `sums`, `overflow`, on the pipeline in `fold` |
//!
//! `parts` holds what random worlds are too small for, `stories` what once was wrong.

mod arithmetic;
mod bounds;
mod change;
mod crash;
mod cuts;
mod fold;
mod guard;
mod loss;
mod marks;
mod once;
mod overflow;
mod parts;
mod placement;
mod rebuilt;
mod stories;
mod sums;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::{FileFailurePersistence, TestCaseError};

/// `of_256` cases where `PROPTEST_CASES` asks for 256, and proportionally. Failures are kept for the next run.
fn cases(of_256: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let persistence = FileFailurePersistence::Direct("proptest-regressions/laws.txt");
    ProptestConfig {
        cases: (default.cases * of_256).div_ceil(256),
        failure_persistence: Some(Box::new(persistence)),
        ..default
    }
}

/// An error of the core where none is allowed.
fn unexpected(error: &stream_core::Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}
