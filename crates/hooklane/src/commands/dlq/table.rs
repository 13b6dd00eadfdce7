//! Lists of dead letters, in columns.

use console::{Group, Row};
use delivery::FailureKind;
use event::Timestamp;

use crate::output;

/// The table of `dlq ls`.
pub(super) fn of_letters(rows: &[Row]) -> String {
    let mut table = vec![line([
        "ID", "DEAD AT", "REASON", "LAST", "ATTEMPTS", "GROUP", "EVENT", "MSG_ID",
    ])];
    table.extend(rows.iter().map(letter));
    let count = match rows.len() {
        0 => return "no dead letters\n".to_owned(),
        1 => "1 dead letter".to_owned(),
        count => format!("{count} dead letters"),
    };
    format!("{}{count}\n", aligned(&table))
}

fn letter(row: &Row) -> Vec<String> {
    let reason = match &row.problem {
        Some(problem) => one_line(problem),
        None => row.reason.as_str().to_owned(),
    };
    vec![
        one_line(&row.id),
        time(row.dead_at),
        reason,
        result(row.last_status, row.last_error),
        row.attempts.to_string(),
        text(row.group.as_deref()),
        text(row.event.as_deref()),
        text(row.msg_id.as_deref()),
    ]
}

/// The table of `dlq groups`.
pub(super) fn of_groups(rows: &[Group]) -> String {
    if rows.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut table = vec![line([
        "COUNT", "REASON", "LAST", "HOST", "GROUP", "OLDEST", "NEWEST",
    ])];
    table.extend(rows.iter().map(|row| {
        vec![
            row.count.to_string(),
            row.reason.as_str().to_owned(),
            result(row.status, row.error),
            text(row.callback_host.as_deref()),
            text(row.group.as_deref()),
            time(row.oldest),
            time(row.newest),
        ]
    }));
    aligned(&table)
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

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NOTHING.to_owned(), |at| at.to_string())
}

fn line<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

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
    let widths: Vec<usize> = (0..columns).map(width).collect();
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
    use delivery::Reason;

    use super::*;

    fn row() -> Row {
        Row {
            id: "5fea7756".to_owned(),
            reason: Reason::Exhausted,
            group: Some("EventSetup_7".to_owned()),
            event: None,
            msg_id: Some("e-1".to_owned()),
            attempts: 4,
            last_status: None,
            last_error: Some(FailureKind::Timeout),
            sent_at: None,
            dead_at: Timestamp::parse("2025-02-12T14:30:45.123Z"),
            callback: None,
            problem: None,
            copies: 1,
        }
    }

    #[test]
    fn letters_are_listed_in_columns() {
        let expected = "\
ID        DEAD AT                   REASON     LAST     ATTEMPTS  GROUP         EVENT  MSG_ID
5fea7756  2025-02-12T14:30:45.123Z  exhausted  timeout  4         EventSetup_7  -      e-1
1 dead letter
";
        assert_eq!(of_letters(&[row()]), expected);
        assert_eq!(of_letters(&[]), "no dead letters\n");
    }

    #[test]
    fn a_letter_without_a_readable_record_says_why_in_place_of_a_reason() {
        let problem = Some("hooklane.dead_letter is not text".to_owned());
        let listed = of_letters(&[Row { problem, ..row() }]);
        assert!(
            listed.contains("  hooklane.dead_letter is not text  "),
            "{listed}"
        );
    }

    #[test]
    fn strangers_ids_stay_on_their_line_and_command_no_terminal() {
        let msg_id = Some("e\n1\u{1b}[2J\u{202e}".to_owned());
        let listed = of_letters(&[Row { msg_id, ..row() }]);
        assert!(listed.contains("e 1\\u{1b}[2J\\u{202e}\n"), "{listed}");
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
COUNT  REASON     LAST  HOST               GROUP         OLDEST                    NEWEST
300    exhausted  500   hooks.example.com  EventSetup_7  2025-02-12T14:30:45.000Z  -
";
        assert_eq!(of_groups(&[group]), expected);
    }
}
