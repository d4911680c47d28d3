//! One valid baseline, one mutation, one exact answer. The list of cases is the list of what is refused.
