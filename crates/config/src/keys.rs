//! The keys there are, and what somebody may have meant by one that is none of them.

use std::sync::LazyLock;

use super::tree::{Node, Origin, Table, Value};
use super::values::quoted;
use super::{Problem, table};

pub use super::key::Row;

/// What every variable that sets a key begins with.
pub(super) const PREFIX: &str = "HOOKLANE_";

/// Variables of ours that set no key.
pub(super) const OTHER_VARIABLES: [&str; 2] = ["HOOKLANE_CONFIG", "HOOKLANE_LOG"];

/// Every key there is, section by section, in the order of the documentation.
pub fn all() -> &'static [Row] {
    table::ROWS
}

/// The paths of every key; `*` stands for a name the user chooses.
static KNOWN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let alike = table::ROWS.chunk_by(|one, next| one.sections() == next.sections());
    let sections = alike.flat_map(|rows| (0..rows[0].sections().len()).map(move |n| (rows, n)));
    let keys = sections.flat_map(|(rows, n)| rows.iter().filter_map(move |row| row.paths().nth(n)));
    keys.collect()
});

/// Finds every key that is none of ours, and what stands where a table belongs.
pub(super) fn check_known(table: &Table, place: &impl Fn(&Origin) -> String) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(table, &mut Vec::new(), &mut |path, node, standing| {
        let (key, problem) = match (&node.origin, standing) {
            (Origin::Line(_), Standing::Unknown) => (join(path), unknown(path, str::to_owned)),
            (Origin::Variable(name), Standing::Unknown) => {
                // The variable's whole path, of which only the beginning may be unknown.
                let path = path_of_variable(name).unwrap_or_default();
                (name.clone(), unknown(&path, variable))
            }
            _ => (
                join(path),
                format!("found {}: write a table, [{}]", node.kind(), join(path)),
            ),
        };
        let place = Some(place(&node.origin));
        problems.push(Problem {
            key,
            problem,
            place,
        });
    });
    problems
}

/// Where a section stands in the documentation.
pub(super) fn order(section: &str) -> usize {
    let below = |known: &String| section.is_empty() || known.starts_with(&format!("{section}."));
    KNOWN.iter().position(below).unwrap_or(KNOWN.len())
}

fn unknown(path: &[String], shown: impl Fn(&str) -> String) -> String {
    match suggest(path) {
        Some(meant) => format!("unknown key: did you mean {}?", shown(&meant)),
        None => format!(
            "unknown key: there are {} (see `hooklane config check --help`)",
            siblings(path).join(", ")
        ),
    }
}

/// The key of a path, on one line whatever it holds; the parts of the first may be joined already.
pub(super) fn join(path: &[impl AsRef<str>]) -> String {
    let part = |part: &str| {
        if part.chars().all(|c| c.is_ascii_graphic()) {
            part.to_owned()
        } else {
            quoted(part)
        }
    };
    path.iter()
        .map(|p| part(p.as_ref()))
        .collect::<Vec<_>>()
        .join(".")
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    let path = key.split('.').map(str::to_uppercase).collect::<Vec<_>>();
    format!("{PREFIX}{}", path.join("__"))
}

/// The key a variable sets. A part without lower-case letters is meant in lower case; others (event names)
/// are taken as they are.
pub(super) fn path_of_variable(name: &str) -> Option<Vec<String>> {
    let parts = name.strip_prefix(PREFIX)?.split("__");
    let part = |part: &str| {
        if part.chars().any(char::is_lowercase) {
            part.to_owned()
        } else {
            part.to_lowercase()
        }
    };
    Some(parts.map(part).collect())
}

fn walk(table: &Table, path: &mut Vec<String>, wrong: &mut impl FnMut(&[String], &Node, Standing)) {
    for (key, node) in table {
        path.push(key.clone());
        match (&node.value, standing(path)) {
            (Value::Table(table), Standing::Above) => walk(table, path, wrong),
            // Several variables may have made this table: each is told.
            (Value::Table(table), Standing::Unknown) if node.is_variable() => {
                walk(table, path, wrong);
            }
            (_, standing @ (Standing::Above | Standing::Unknown)) => wrong(path, node, standing),
            // A wrong value is told when the key is read.
            (_, Standing::Key) => {}
        }
        path.pop();
    }
}

/// How a path stands to the known keys.
#[derive(Debug, PartialEq)]
enum Standing {
    /// It is one of them.
    Key,
    /// It is a section.
    Above,
    Unknown,
}

fn standing(path: &[String]) -> Standing {
    let mut standing = Standing::Unknown;
    for known in KNOWN.iter() {
        let mut parts = known.split('.');
        let matches = path.iter().all(|part| {
            parts
                .next()
                .is_some_and(|known| known == "*" || known == part)
        });
        match (matches, parts.next()) {
            (true, None) => return Standing::Key,
            (true, Some(_)) => standing = Standing::Above,
            (false, _) => {}
        }
    }
    standing
}

/// Where a given key is cut, in characters, before it is compared: it may be as long as the file.
const LONGEST_SLIP: usize = 100;

/// The known key (or section) nearest to a path: one that differs in a few letters, else the only one
/// elsewhere with the same last part.
fn suggest(path: &[String]) -> Option<String> {
    let given = join(path).chars().take(LONGEST_SLIP).collect::<String>();
    let candidates = || {
        let named = KNOWN.iter().filter(|known| !known.contains('*'));
        named.flat_map(|known| prefixes(known))
    };
    let nearest = candidates()
        .map(|known| (strsim::levenshtein(&given, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| distance * 3 <= known.len());
    let last = path.last().map(String::as_str);
    let mut elsewhere = candidates().filter(|known| known.rsplit('.').next() == last);
    let only = elsewhere.next().filter(|_| elsewhere.next().is_none());
    nearest.map(|(_, known)| known).or(only).map(str::to_owned)
}

/// What the deepest known section above a path holds.
fn siblings(path: &[String]) -> Vec<&'static str> {
    let section = (0..path.len())
        .rev()
        .map(|depth| &path[..depth])
        .find(|above| standing(above) == Standing::Above);
    let depth = section.map_or(0, <[String]>::len);
    let below = KNOWN.iter().filter(|known| {
        known
            .split('.')
            .zip(&path[..depth])
            .all(|(known, given)| known == given)
    });
    let mut siblings = below
        .filter_map(|known| known.split('.').nth(depth))
        .collect::<Vec<_>>();
    siblings.dedup();
    siblings
}

/// `a.b.c` → `a`, `a.b`, `a.b.c`.
fn prefixes(key: &'static str) -> impl Iterator<Item = &'static str> {
    key.match_indices('.')
        .map(|(at, _)| &key[..at])
        .chain([key])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(key: &str) -> Vec<String> {
        key.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_key_with_a_slip_is_recognised() {
        assert_eq!(suggest(&path("queue.ulr")).as_deref(), Some("queue.url"));
        assert_eq!(
            suggest(&path("retry.delay")).as_deref(),
            Some("retry.delays")
        );
        assert_eq!(suggest(&path("queues")).as_deref(), Some("queue"));
    }

    #[test]
    fn a_key_in_the_wrong_section_is_recognised() {
        assert_eq!(
            suggest(&path("worker.timeout")).as_deref(),
            Some("retry.timeout")
        );
        assert_eq!(
            suggest(&path("max_in_flight")).as_deref(),
            Some("worker.max_in_flight")
        );
        assert_eq!(suggest(&path("weather")), None);
    }

    #[test]
    fn a_key_like_no_other_is_answered_with_those_there_are() {
        assert_eq!(suggest(&path("callback.staging.url")), None);
        assert_eq!(
            siblings(&path("callback.staging.url")),
            ["production", "non_production"]
        );
        assert_eq!(siblings(&path("colour"))[..2], ["environment", "queue"]);
        assert_eq!(siblings(&path("queue.colour")), ["url", "dead_letter_url"]);
    }

    #[test]
    fn event_names_are_free_and_nothing_hides_below_them() {
        assert_eq!(
            standing(&path("callback.production.events.talent_created")),
            Standing::Key
        );
        assert_eq!(
            standing(&path("callback.production.events")),
            Standing::Above
        );
        assert_eq!(
            standing(&path("callback.production.events.a.b")),
            Standing::Unknown
        );
    }

    #[test]
    fn a_variable_names_a_key_in_lower_case_and_an_event_as_it_is() {
        let of = |name: &str| path_of_variable(name).expect("ours").join(".");
        assert_eq!(of("HOOKLANE_QUEUE__URL"), "queue.url");
        assert_eq!(
            of("HOOKLANE_CALLBACK__PRODUCTION__EVENTS__talentCreated"),
            "callback.production.events.talentCreated"
        );
        assert_eq!(of("HOOKLANE_RETRY__RETRY_AFTER"), "retry.retry_after");
        assert_eq!(variable("retry.retry_after"), "HOOKLANE_RETRY__RETRY_AFTER");
    }
}
