//! Lists of dead letters, in columns.

use delivery::{FailureKind, Reason};
use event::Timestamp;
use letters::{Group, Row};

use crate::output;

/// The columns of `dlq ls`.
#[derive(Clone, Copy, PartialEq)]
enum OfLetter {
    Id,
    Copies,
    DeadAt,
    Reason,
    Last,
    /// Reason and last result in one.
    Why,
    Attempts,
    Group,
    Event,
    MsgId,
}

/// The table of `dlq ls`, with as many columns as the terminal is wide enough for.
pub(super) fn of_letters(rows: &[Row], width: Option<usize>) -> String {
    use OfLetter::{Attempts, Copies, DeadAt, Event, Group, Id, Last, MsgId, Reason, Why};
    let layouts: [&[OfLetter]; 5] = [
        &[
            Id, Copies, DeadAt, Reason, Last, Attempts, Group, Event, MsgId,
        ],
        &[Id, Copies, DeadAt, Reason, Last, Attempts, Group, Event],
        &[Id, Copies, DeadAt, Why, Attempts, Group, Event],
        &[Id, Copies, DeadAt, Why, Group, Event],
        &[Id, Copies, DeadAt, Why, Group],
    ];
    let has_copies = rows.iter().any(|row| row.copies > 1);
    let shown = |column: &OfLetter| has_copies || *column != Copies;
    fitting(&layouts, width, |columns| {
        let columns: Vec<_> = columns.iter().copied().filter(shown).collect();
        let titles = columns.iter().map(|c| c.title().to_owned()).collect();
        let rows = rows
            .iter()
            .map(|row| columns.iter().map(|c| c.cell(row)).collect());
        std::iter::once(titles).chain(rows).collect()
    })
}

/// All that is meant, and how many that is; without the last line end.
pub(super) fn counted(rows: &[Row]) -> String {
    let count = count(rows.len(), rows.len(), false);
    if rows.is_empty() {
        count
    } else {
        format!("{}{count}", of_letters(rows, output::width()))
    }
}

impl OfLetter {
    fn title(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Copies => "COPIES",
            Self::DeadAt => "DEAD AT",
            Self::Reason => "REASON",
            Self::Last => "LAST",
            Self::Why => "WHY",
            Self::Attempts => "ATTEMPTS",
            Self::Group => "GROUP",
            Self::Event => "EVENT",
            Self::MsgId => "MSG_ID",
        }
    }

    fn cell(self, row: &Row) -> String {
        match self {
            Self::Id => one_line(&row.id),
            Self::Copies => row.copies.to_string(),
            Self::DeadAt => time(row.dead_at),
            Self::Reason => match &row.problem {
                Some(problem) => one_line(problem),
                None => row.reason.as_str().to_owned(),
            },
            Self::Last => result(row.last_status, row.last_error),
            Self::Why => why(row.reason, row.last_status, row.last_error),
            Self::Attempts => row.attempts.to_string(),
            Self::Group => text(row.group.as_deref()),
            Self::Event => text(row.event.as_deref()),
            Self::MsgId => text(row.msg_id.as_deref()),
        }
    }
}

/// The columns of `dlq groups`.
#[derive(Clone, Copy)]
enum OfGroup {
    Count,
    Reason,
    Last,
    Why,
    Host,
    Group,
    Oldest,
    Newest,
}

/// The table of `dlq groups`, with as many columns as the terminal is wide enough for.
pub(super) fn of_groups(rows: &[Group], width: Option<usize>) -> String {
    use OfGroup::{Count, Group, Host, Last, Newest, Oldest, Reason, Why};
    let layouts: [&[OfGroup]; 3] = [
        &[Count, Reason, Last, Host, Group, Oldest, Newest],
        &[Count, Why, Host, Group, Oldest, Newest],
        &[Count, Why, Host, Group, Newest],
    ];
    fitting(&layouts, width, |columns| {
        let titles = columns.iter().map(|c| c.title().to_owned()).collect();
        let rows = rows
            .iter()
            .map(|row| columns.iter().map(|c| c.cell(row)).collect());
        std::iter::once(titles).chain(rows).collect()
    })
}

impl OfGroup {
    fn title(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Reason => "REASON",
            Self::Last => "LAST",
            Self::Why => "WHY",
            Self::Host => "HOST",
            Self::Group => "GROUP",
            Self::Oldest => "OLDEST",
            Self::Newest => "NEWEST",
        }
    }

    fn cell(self, row: &Group) -> String {
        match self {
            Self::Count => row.count.to_string(),
            Self::Reason => row.reason.as_str().to_owned(),
            Self::Last => result(row.status, row.error),
            Self::Why => why(row.reason, row.status, row.error),
            Self::Host => text(row.callback_host.as_deref()),
            Self::Group => text(row.group.as_deref()),
            Self::Oldest => time(row.oldest),
            Self::Newest => time(row.newest),
        }
    }
}

/// What stands below a table, or in its place: how many letters, of how many that were seen.
pub(super) fn count(matched: usize, seen: usize, is_filtered: bool) -> String {
    let letters = |n: usize| match n {
        1 => "1 dead letter".to_owned(),
        n => format!("{n} dead letters"),
    };
    match (matched, seen) {
        (0, 0) => "no dead letters".to_owned(),
        (0, 1) => "the 1 dead letter there is does not match".to_owned(),
        (0, seen) => format!("none of {seen} dead letters match"),
        (matched, seen) if is_filtered => format!("{matched} of {}", letters(seen)),
        (matched, _) => letters(matched),
    }
}

/// The first table that fits, or the narrowest. Whoever is no terminal has any width.
fn fitting<C>(
    layouts: &[&[C]],
    width: Option<usize>,
    table: impl Fn(&[C]) -> Vec<Vec<String>>,
) -> String {
    let mut fitting = String::new();
    for columns in layouts {
        fitting = aligned(&table(columns));
        let fits = |width| fitting.lines().all(|line| line.chars().count() <= width);
        if width.is_none_or(fits) {
            break;
        }
    }
    fitting
}

/// Reason and last result in one: of events whose attempts are used up, what the last one ended with.
fn why(reason: Reason, status: Option<u16>, error: Option<FailureKind>) -> String {
    match reason {
        Reason::Exhausted if status.is_some() || error.is_some() => result(status, error),
        reason => reason.as_str().to_owned(),
    }
}

/// What an attempt ended with: its status, or what it failed with.
pub(super) fn result(status: Option<u16>, error: Option<FailureKind>) -> String {
    match (status, error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.to_string(),
        (None, None) => NOTHING.to_owned(),
    }
}

/// A stranger's text on one line.
pub(super) fn one_line(text: &str) -> String {
    output::printable(text).replace(['\n', '\t'], " ")
}

const NOTHING: &str = "-";

fn text(value: Option<&str>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), one_line)
}

/// To the second; `--since` takes it as it is.
fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(
        || NOTHING.to_owned(),
        |at| format!("{}Z", at.event_datetime()),
    )
}

/// The widest that a column becomes, for the longest message group and name of an event: an upstream system may have
/// written a `msg_id` of a megabyte, and formatting panics from 65,536 on.
const WIDEST: usize = 256;

/// Lines of cells, each column as wide as its widest cell, two spaces between.
pub(super) fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column| {
        let cells = table.iter().filter_map(|line| line.get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(|c| width(c).min(WIDEST)).collect();
    let mut out = String::new();
    for line in table {
        let cells = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            id: "5fea7756-0ea4-451a-a703-a558b933e274".to_owned(),
            reason: Reason::Exhausted,
            group: Some("EventSetup_7".to_owned()),
            event: Some("talent_created".to_owned()),
            msg_id: Some("e-1".to_owned()),
            attempts: 4,
            last_status: None,
            last_error: Some(FailureKind::Dns),
            sent_at: None,
            dead_at: Timestamp::parse("2025-02-12T14:30:45.123Z"),
            callback: None,
            problem: None,
            copies: 1,
        }
    }

    #[test]
    fn letters_are_listed_in_columns() {
        let bare = Row {
            event: None,
            reason: Reason::NoCallback,
            last_error: None,
            attempts: 0,
            ..row()
        };
        let expected = "\
ID                                    DEAD AT               REASON       LAST  ATTEMPTS  GROUP         EVENT           MSG_ID
5fea7756-0ea4-451a-a703-a558b933e274  2025-02-12T14:30:45Z  exhausted    dns   4         EventSetup_7  talent_created  e-1
5fea7756-0ea4-451a-a703-a558b933e274  2025-02-12T14:30:45Z  no-callback  -     0         EventSetup_7  -               e-1
";
        assert_eq!(of_letters(&[row(), bare], None), expected);
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_whole_ids() {
        for (width, expected) in [
            (
                200,
                "ID, DEAD AT, REASON, LAST, ATTEMPTS, GROUP, EVENT, MSG_ID",
            ),
            (120, "ID, DEAD AT, REASON, LAST, ATTEMPTS, GROUP, EVENT"),
            (110, "ID, DEAD AT, WHY, ATTEMPTS, GROUP, EVENT"),
            (100, "ID, DEAD AT, WHY, GROUP, EVENT"),
            (80, "ID, DEAD AT, WHY, GROUP"),
            (10, "ID, DEAD AT, WHY, GROUP"),
        ] {
            let msg_id = Some("0b5ab62c-7f5d-4f77-a9c6-5a2a4f4e8a10".to_owned());
            let table = of_letters(&[Row { msg_id, ..row() }], Some(width));
            let titles = table.lines().next().unwrap().split("  ").map(str::trim);
            let titles: Vec<_> = titles.filter(|title| !title.is_empty()).collect();
            assert_eq!(titles.join(", "), expected, "{width}");
            assert!(table.contains(&row().id), "{width}");
            let widest = table.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width) || width == 10, "{width}: {table}");
        }
    }

    #[test]
    fn copies_have_a_column_where_there_are_any() {
        let table = of_letters(&[row(), Row { copies: 2, ..row() }], Some(90));
        assert!(
            table.starts_with("ID                                    COPIES  DEAD AT"),
            "{table}"
        );
    }

    #[test]
    fn a_letter_without_a_readable_record_says_why_in_place_of_a_reason() {
        let problem = Some("hooklane.dead_letter is not text".to_owned());
        let listed = of_letters(&[Row { problem, ..row() }], None);
        assert!(
            listed.contains("  hooklane.dead_letter is not text  "),
            "{listed}"
        );
    }

    #[test]
    fn strangers_ids_stay_on_their_line_and_command_no_terminal() {
        let msg_id = Some("e\n1\u{1b}[2J\u{202e}".to_owned());
        let listed = of_letters(&[Row { msg_id, ..row() }], None);
        assert!(listed.contains("e 1\\u{1b}[2J\\u{202e}\n"), "{listed}");
    }

    #[test]
    fn a_cell_of_any_length_breaks_no_table() {
        let msg_id = Some("x".repeat(900_000));
        let listed = of_letters(&[Row { msg_id, ..row() }, row()], None);
        assert_eq!(listed.lines().count(), 3);
        assert!(listed.len() < 901_000, "{}", listed.len());
    }

    #[test]
    fn groups_are_counted_in_columns() {
        let group = Group {
            reason: Reason::Exhausted,
            status: Some(500),
            status_class: Some("5xx".to_owned()),
            error: None,
            callback_host: Some("hooks.example.com".to_owned()),
            group: Some("EventSetup_7".to_owned()),
            count: 300,
            oldest: Timestamp::parse("2025-02-12T14:30:45Z"),
            newest: None,
        };
        let expected = "\
COUNT  REASON     LAST  HOST               GROUP         OLDEST                NEWEST
300    exhausted  500   hooks.example.com  EventSetup_7  2025-02-12T14:30:45Z  -
";
        assert_eq!(of_groups(std::slice::from_ref(&group), None), expected);
        let expected = "\
COUNT  WHY  HOST               GROUP         OLDEST                NEWEST
300    500  hooks.example.com  EventSetup_7  2025-02-12T14:30:45Z  -
";
        assert_eq!(of_groups(&[group], Some(80)), expected);
    }

    #[test]
    fn what_was_found_is_counted_with_what_was_seen() {
        for (matched, seen, is_filtered, expected) in [
            (0, 0, false, "no dead letters"),
            (0, 0, true, "no dead letters"),
            (1, 1, false, "1 dead letter"),
            (500, 500, false, "500 dead letters"),
            (7, 500, true, "7 of 500 dead letters"),
            (1, 1, true, "1 of 1 dead letter"),
            (0, 500, true, "none of 500 dead letters match"),
        ] {
            assert_eq!(count(matched, seen, is_filtered), expected);
        }
    }
}
