//! Which letters an address means: its criteria, read and written, and the form that sets them.

use std::collections::BTreeSet;

use event::Timestamp;
use letters::{Filter, FilterError, Letter, NO_HOST};
use maud::{Markup, html};

use super::address;
use super::form::Fields;
use super::layout::strange;
use super::snapshot::Snapshot;
use super::text::numbered;

/// The criteria: name, what the form calls it, and an example.
const CRITERIA: [(&str, &str, &str); 8] = [
    ("group", "Message group", "EventSetup_42"),
    ("event", "Event", "talent_created"),
    ("reason", "Reason", "exhausted"),
    ("status", "Last answer", "500, 5xx, timeout"),
    ("host", "Callback host", "hooks.example.com"),
    ("since", "Died since", "2h, 2026-11-20 10:00"),
    ("until", "Died before", "30m, 2026-11-20"),
    ("contains", "Contains", "in body, id or answer"),
];

/// The most values of the snapshot that a field of the form offers.
const MOST_OFFERS: usize = 100;

/// The most characters of a field.
const LONGEST_INPUT: usize = 512;

/// What stands in the address.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) filter: Filter,
    /// What was typed, by criterion.
    typed: Vec<(&'static str, String)>,
    /// Which criteria cannot be used, and what may stand there.
    problems: Vec<(&'static str, String)>,
    pub(super) newest_first: bool,
    /// From 0.
    pub(super) page: usize,
}

impl Query {
    /// Reads an address or the fields of a form.
    pub(super) fn of(fields: &Fields, now: Timestamp) -> Self {
        let mut query = Self::default();
        for (name, _, _) in CRITERIA {
            let text = fields.get(name);
            if text.trim().is_empty() {
                continue;
            }
            if let Err(error) = query.filter.set(name, text, now) {
                query.problems.push((name, problem_of(name, &error)));
            }
            query.typed.push((name, text.to_owned()));
        }
        if query.problems.is_empty()
            && let Err(error) = query.filter.check()
        {
            query.problems.push(("since", problem_of("since", &error)));
        }
        query.newest_first = fields.get("order") == "newest";
        query.page = fields.get("page").parse().unwrap_or(1).max(1) - 1;
        query
    }

    /// Says whether every criterion can be used.
    pub(super) fn is_usable(&self) -> bool {
        self.problems.is_empty()
    }

    /// The address of a page of the list; moments are written out, so that it means the same to a colleague.
    pub(super) fn address(&self, newest_first: bool, page: usize) -> String {
        let order = newest_first.then(|| ("order", "newest".to_owned()));
        let page = (page > 0).then(|| ("page", (page + 1).to_string()));
        let more = order.into_iter().chain(page);
        address::of_list(self.filter.to_pairs().into_iter().chain(more))
    }

    /// The form, with what was typed, what is wrong with it, and what the snapshot offers.
    pub(super) fn form(&self, snapshot: Option<&Snapshot>) -> Markup {
        html! {
            form #filters .card role="search" method="get" action="/letters" aria-label="Choose dead letters" {
                div.fields {
                    @for (name, title, example) in CRITERIA {
                        (self.field(name, title, example, &offers(snapshot, name)))
                    }
                }
                @if self.newest_first { input type="hidden" name="order" value="newest"; }
                div.buttons {
                    button #apply.primary type="submit" { "Show" }
                    @if !self.typed.is_empty() { a #clear.button href="/letters" { "Show all" } }
                }
            }
        }
    }

    fn field(&self, name: &str, title: &str, example: &str, offers: &BTreeSet<String>) -> Markup {
        let of = |pairs: &[(&str, String)]| {
            let pair = pairs.iter().find(|(n, _)| *n == name);
            pair.map(|(_, text)| text.clone())
        };
        let problem = of(&self.problems);
        html! {
            div.field {
                label for=(name) { (title) }
                input id=(name) name=(name) type="text" value=(of(&self.typed).unwrap_or_default())
                    placeholder=(example) dir="auto" autocomplete="off" spellcheck="false" maxlength=(LONGEST_INPUT)
                    list=[(!offers.is_empty()).then(|| format!("{name}-offers"))]
                    aria-invalid=[problem.as_ref().map(|_| "true")]
                    aria-describedby=[problem.as_ref().map(|_| format!("{name}-problem"))];
                @if let Some(problem) = problem {
                    p.problem id=(format!("{name}-problem")) role="alert" { (strange(&problem)) }
                }
                @if !offers.is_empty() {
                    datalist id=(format!("{name}-offers")) {
                        // The value is what is filled in, exactly; where not all of it can be seen, the label shows it.
                        @for offer in offers { option value=(offer) label=[numbered(offer)] {} }
                    }
                }
            }
        }
    }
}

/// What is wrong, at a field that says itself which one it is.
fn problem_of(name: &str, error: &FilterError) -> String {
    let told = error.to_string();
    let problem = told
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix(": "));
    problem.unwrap_or(&told).to_owned()
}

/// What the letters of the snapshot have there, for the criteria that name one of a few.
fn offers(snapshot: Option<&Snapshot>, criterion: &str) -> BTreeSet<String> {
    let mut offers = BTreeSet::new();
    for letter in snapshot.iter().flat_map(|snapshot| &snapshot.letters) {
        if offers.len() == MOST_OFFERS {
            break;
        }
        // Longer ones do not fit the field, and a hundred of them would be megabytes.
        offers.extend(value(letter, criterion).filter(|offer| offer.len() <= LONGEST_INPUT));
    }
    offers
}

fn value(letter: &Letter, criterion: &str) -> Option<String> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    match criterion {
        "group" => owned(letter.group()),
        "event" => owned(letter.event()),
        "reason" => owned(Some(letter.reason().as_str())),
        "status" => Some(match letter.attempts().last() {
            None => "none".to_owned(),
            Some(last) => match (last.status, last.error) {
                (Some(status), _) => status.to_string(),
                (None, error) => error?.to_string(),
            },
        }),
        "host" => Some(letter.callback_host().unwrap_or_else(|| NO_HOST.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(address: &str) -> Query {
        let now = Timestamp::from_millis(1_739_370_645_123);
        Query::of(&Fields::of_query(Some(address)), now)
    }

    #[test]
    fn the_address_of_a_list_is_read_back() {
        let first = query("group=EventSetup_7&since=2h&contains=a%26b&order=newest&page=3");
        let address = first.address(true, 2);
        let again = query(address.strip_prefix("/letters?").unwrap());
        assert_eq!(again.filter, first.filter);
        assert_eq!((again.newest_first, again.page), (true, 2));
        assert!(
            address.contains("since=2025-02-12T12%3A30%3A45.123Z"),
            "{address}"
        );
        assert_eq!(query("").address(false, 0), "/letters");
    }

    #[test]
    fn a_criterion_that_cannot_be_used_is_told_at_its_field_and_kept_as_it_was_typed() {
        let query = query("status=6%3Cx&group=a&page=none");
        assert!(!query.is_usable());
        assert_eq!(query.page, 0);
        let form = query.form(None).into_string();
        assert!(
            form.contains(r#"value="6&lt;x" placeholder="500, 5xx, timeout""#),
            "{form}"
        );
        let problem = form.split_once(r#"id="status-problem""#).unwrap().1;
        assert!(
            problem.contains("a class (5xx)") && problem.contains("6&lt;x"),
            "{form}"
        );
        assert!(!form.contains("group-problem"), "{form}");
    }

    #[test]
    fn a_value_that_is_offered_shows_what_fonts_leave_out_and_fills_in_what_it_is() {
        let offers = ["a\u{3164}\u{ad}".to_owned(), "b".to_owned()].into();
        let field = query("").field("event", "Event", "", &offers).into_string();
        let offered = "<option value=\"a\u{3164}\u{ad}\" label=\"a\\u{3164}\\u{ad}\"></option>\
                       <option value=\"b\"></option>";
        assert!(field.contains(offered), "{field}");
    }

    #[test]
    fn a_span_that_ends_before_it_begins_is_told() {
        let query = query("since=1h&until=2h");
        assert!(!query.is_usable());
        assert!(query.form(None).into_string().contains("since-problem"));
    }
}
