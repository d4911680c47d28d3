//! The nearest valid name, and lists of names for people.

/// The allowed name most like `name`, if one is near enough to be a typing error.
pub fn nearest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let limit = (lower.chars().count() / 3).max(1);
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    allowed.iter().filter(|candidate| distance(candidate) <= limit).min_by_key(distance).copied()
}

/// Help for an unknown name: the nearest one, or else all that are allowed.
pub fn suggest(name: &str, allowed: &[&str]) -> String {
    match nearest(name, allowed) {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => format!("allowed are {}", quoted(allowed)),
    }
}

/// `'a', 'b', 'c'`.
pub fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
