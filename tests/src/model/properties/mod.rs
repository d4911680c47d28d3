//! The model against itself: a second reading of the contract, the laws, the replay theorem, and proof that the random
//! worlds are rich enough for these to mean something.

mod density;
mod laws;
mod machine;
mod replay;

use proptest::prelude::*;

use super::{Decree, World, arb_decrees, arb_world};

/// A world and decrees somewhere in its log.
fn arb_decreed() -> impl Strategy<Value = (World, Vec<Decree>)> {
    arb_world().prop_flat_map(|world| {
        let decrees = arb_decrees(&world.records);
        (Just(world), decrees)
    })
}
