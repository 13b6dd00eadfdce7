//! The table of keys: each row is read, and what it says is so.

use super::*;
use crate::keys::{self, Row};

/// What a check says of [`GOOD`], with two callbacks that sign, when a key is set.
fn with(path: &str, value: &str) -> Report {
    let other = GOOD
        .split_once("[callback.production]")
        .map(|(_, callback)| callback);
    let other = other.expect("a callback");
    let place = Place::with(&format!("{GOOD}\n[callback.non_production]{other}"));
    let variable = keys::variable(path);
    check(place.load(&[(&variable, value)]).as_ref())
}

/// Every key with its row, where the user chooses a name with some name.
fn each() -> impl Iterator<Item = (&'static Row, String)> {
    let rows = keys::all().iter();
    rows.flat_map(|row| {
        row.paths()
            .map(move |path| (row, path.replace('*', "talent_created")))
    })
}

/// What a check shows of a key.
fn shown(report: &Report, path: &str) -> Option<toml::Value> {
    let mut parts = path.split('.');
    let first = report.config.get(parts.next()?)?;
    parts
        .try_fold(first, |table, part| table.get(part))
        .cloned()
}

fn toml(text: &str) -> toml::Value {
    let table = format!("value = {text}").parse::<toml::Table>();
    table.expect("TOML")["value"].clone()
}

#[test]
fn every_key_of_the_table_is_read() {
    for (_, path) in each() {
        let report = with(&path, "{ no = \"value\" }");
        let told = report.problems.iter().find(|problem| problem.key == path);
        let told = told.map(|problem| problem.problem.as_str());
        assert!(
            told.is_some_and(|told| told.starts_with("found a table: write ")),
            "{path}: {:?}",
            report.problems
        );
    }
}

#[test]
fn every_default_of_the_table_is_what_is_used() {
    let report = check(Place::with(GOOD).load(&[]).as_ref());
    let rows = keys::all().iter();
    let defaults = rows.filter_map(|row| Some((row, row.default()?)));
    for (row, default) in defaults {
        let used = shown(&report, &row.to_string());
        assert_eq!(used, Some(toml(default)), "{row}");
    }
}

#[test]
fn both_ends_of_every_range_of_the_table_may_be_written() {
    for (row, path) in each() {
        for end in row.range().into_iter().flatten() {
            let report = with(&path, end);
            assert!(report.valid, "{path} = {end}: {:?}", report.problems);
            assert_eq!(shown(&report, &path), Some(toml(end)), "{path}");
        }
    }
}

#[test]
fn a_secret_that_is_written_out_where_one_is_named_is_told_of_and_never_told() {
    let secrets = each().filter(|(row, _)| row.is_secret());
    let paths = secrets.map(|(_, path)| path).collect::<Vec<_>>();
    for path in &paths {
        for written in ["hunter2", "[\"hunter2\"]", "{ a = \"hunter2\" }"] {
            let report = with(path, written);
            assert!(report.problems.iter().any(|problem| problem.key == *path));
            let told = format!("{report:?} {}", report.text);
            assert!(!told.contains("hunter2"), "{path}: {told}");
        }
    }
    assert_eq!(
        paths,
        [
            "callback.production.shared_secret",
            "callback.non_production.shared_secret",
            "callback.production.api_key",
            "callback.non_production.api_key",
            "console.token"
        ]
    );
}
