//! Names: their syntax, the nearest valid one, and lists of them for people.

/// The candidate most like `name`, if one is near enough to be a typing error.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help for an unknown name: the nearest one, or else all that are allowed.
pub fn suggest(name: &str, allowed: &[&str]) -> String {
    match nearest(name, allowed.iter().copied()) {
        Some(candidate) => format!("did you mean '{candidate}'?"),
        None => format!("allowed are {}", quoted(allowed.iter().copied())),
    }
}

/// Help for a name that is no field of the schema: what is reached into, or computed, has no name there.
pub(crate) fn unknown_field(name: &str, fields: &[&str]) -> String {
    let (outer, inner) = name.split_once(['.', '[']).unwrap_or((name, ""));
    if !inner.is_empty() && fields.contains(&outer) {
        return format!(
            "what lies inside of '{outer}' is not reached: have it written as a field of its own, for example by the connector's \
             transform 'Flatten'"
        );
    }
    if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        return format!("a name stands here, not an expression: {}", suggest(name, fields));
    }
    suggest(name, fields)
}

/// `'a', 'b', 'c'`.
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    names.join(", ")
}

/// Lower case letters, digits and '-', starting and ending with a letter or digit, at most `longest`.
pub(crate) fn is_kebab(name: &str, longest: usize) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= longest && name.starts_with(edge) && name.ends_with(edge) && name.chars().all(|c| edge(c) || c == '-')
}

/// A letter or '_', then letters, digits and '_', at most 63.
pub(crate) fn is_column(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What Kafka allows: letters, digits, '.', '_' and '-', at most 249, neither "." nor "..".
pub(crate) fn is_topic(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_typing_error_away() {
        let fields = ["event_id", "plan_tier", "region"];
        assert_eq!(nearest("plan_teir", fields), Some("plan_tier"));
        assert_eq!(nearest("Region", fields), Some("region"));
        assert_eq!(nearest("colour", fields), None);
    }

    #[test]
    fn what_lies_inside_of_a_field_is_told_apart_from_a_typing_error() {
        let fields = ["address", "region"];
        assert!(unknown_field("address.zip", &fields).starts_with("what lies inside of 'address' is not reached"));
        assert!(unknown_field("address['zip']", &fields).starts_with("what lies inside of 'address' is not reached"));
        assert!(unknown_field("upper(region)", &fields).starts_with("a name stands here, not an expression"));
        assert_eq!(unknown_field("regoin", &fields), "did you mean 'region'?");
    }

    #[test]
    fn syntax_of_names() {
        assert!(is_kebab("revenue-5m", 50) && !is_kebab("-a", 50) && !is_kebab("A", 50) && !is_kebab("abc", 2));
        assert!(is_column("_x1") && !is_column("1x") && !is_column("a-b") && !is_column(""));
        assert!(is_topic("sales.events.v1") && !is_topic("..") && !is_topic("a b") && !is_topic(""));
    }
}
