//! The longer texts of the help.

use config::keys::{self, Row};

pub(super) const EXAMPLES: &str = "\
Examples:
  hooklane demo                           the whole way on this machine
  hooklane local-sqs                      a local queue to try things with
  hooklane queues create events           events.fifo and events-internal.fifo
  hooklane ledger create                  where attempts are remembered
  hooklane send events.jsonl              events into the queue
  hooklane work                           deliver them
  hooklane dlq ls                         what could not be delivered
  hooklane console                        the same in a browser

The configuration is hooklane.toml (see `hooklane config check --help`); region,
credentials and endpoint come from the standard AWS environment.
Exit codes: 0 done, 1 failed, 2 usage or configuration.";

const CONFIG: &str = "\
Exit code 2 if something is wrong. Every key can also be set from the
environment, as HOOKLANE_ and its path joined by two underscores:
HOOKLANE_QUEUE__URL, HOOKLANE_RETRY__DELAYS='[\"0s\",\"1m\",\"0s\"]'.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  hooklane config check
  hooklane config check --config staging.toml --json | jq .problems";

/// The help of `config check`: every key there is.
pub(super) fn config() -> String {
    let keys = lines_of(keys::all()).join("\n");
    format!("{CONFIG}\n\nKeys:\n{keys}\n\n{CONFIG_EXAMPLES}")
}

/// Each section's keys, with their defaults and what they are for. Keys of one kind share a line: it is the last of
/// them that says what they are for.
fn lines_of(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for alike in rows.chunk_by(|row, next| row.sections() == next.sections()) {
        let sections = alike[0].sections();
        if sections != [""] {
            let headings = sections.iter().map(|section| format!("[{section}]"));
            lines.push(line(&headings.collect::<Vec<_>>().join(", "), ""));
        }
        let mut names = Vec::new();
        for row in alike {
            if let Some(table) = row.name().strip_suffix(".*") {
                lines.push(line(&format!("[{}.{table}]", sections[0]), row.help()));
                continue;
            }
            names.push(row.name());
            let keys = names.join(", ");
            match row.default() {
                Some(default) => lines.push(line(&format!("{keys} = {default}"), row.help())),
                None if row.help().is_empty() => continue,
                None => lines.push(line(&keys, row.help())),
            }
            names.clear();
        }
    }
    lines
}

/// The key, and what it is for in a column of its own.
fn line(key: &str, help: &str) -> String {
    let help = help.replace('\n', &format!("\n{:38}", ""));
    format!("  {key:<36}{help}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sections and the names that lines of the help show.
    fn shown(lines: &[String]) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        let mut section = String::new();
        for line in lines {
            if line.starts_with("  [") && line.ends_with(']') {
                section = line.trim().to_owned();
                continue;
            }
            let key = line.get(..38).unwrap_or(line).trim();
            let names = key.split(" = ").next().expect("a part").split(", ");
            shown.extend(names.map(|name| (section.clone(), name.to_owned())));
        }
        shown
    }

    #[test]
    fn the_help_of_config_check_lists_every_key() {
        let rows = keys::all().iter().map(|row| {
            let sections = row.sections().iter().filter(|section| !section.is_empty());
            let sections = sections.map(|section| format!("[{section}]"));
            let section = sections.collect::<Vec<_>>().join(", ");
            match row.name().strip_suffix(".*") {
                Some(table) => (section, format!("[{}.{table}]", row.sections()[0])),
                None => (section, row.name().to_owned()),
            }
        });
        assert_eq!(shown(&lines_of(keys::all())), rows.collect::<Vec<_>>());
    }

    #[test]
    fn the_help_of_config_check_has_a_column_for_what_keys_are_for() {
        let help = config();
        for line in [
            "\n  environment = \"production\"          or \"non-production\"\n  [queue]\n",
            "\n  url, dead_letter_url                the source queue and the internal queue\n",
            "\n  [callback.production.events]        a URL per event name\n",
            "\n  accept = [200, 201]\n",
            "\n                                      addresses need one\n",
        ] {
            assert!(help.contains(line), "{line}: {help}");
        }
    }
}
