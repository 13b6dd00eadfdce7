//! The README: its steps by hand, with its own files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rig::program::{LocalSqs, address, assert_told, get, repository};

const README: &str = include_str!("../../README.md");

/// The only block in this language.
fn block(language: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let mut blocks = README.split(fence.as_str()).skip(1);
    let block = blocks.next().and_then(|rest| rest.split("```").next());
    assert!(blocks.next().is_none(), "more than one block of {language}");
    block.expect("a block")
}

#[test]
fn the_steps_by_hand_deliver_the_events_of_the_readme_and_show_what_failed() {
    let sqs = LocalSqs::start(&[]);
    let mut home = sqs.home("events");
    let printed = std::fs::read_to_string(home.path("hooklane.toml")).expect("read");
    let mut receiver = home.start(&["listen", "--port", "0", "--secret", "s"]);
    let line = receiver.line();
    let url = line.trim().strip_prefix("listening on ").expect("a URL");
    // The ports of the README may be taken here.
    let configuration = block("toml")
        .replace("http://127.0.0.1:9324", &sqs.variables[0].1)
        .replace("http://127.0.0.1:8080", url);
    assert!(configuration.contains(printed.trim()), "{printed}");
    home.write("hooklane.toml", &configuration);
    home.write("events.jsonl", block("json"));
    home.set("WORKN_SECRET", "s")
        .set("HOOKLANE_WORKER__ADMIN_LISTEN", "127.0.0.1:0");

    let sent = home.run(&["send", "events.jsonl"]);
    assert_eq!(sent.stdout, "3 events sent\n", "{sent:?}");
    let worked = home.run(&["work", "--drain"]);
    assert!(
        worked
            .stdout
            .starts_with("3 delivered, 0 dead-lettered, 3 attempts"),
        "{worked:?}"
    );
    let heard = receiver.stop().stdout;
    let valid = heard.matches("signature valid (hmac-sha256-hex)").count();
    assert_eq!(valid, 3, "{heard}");

    // Nobody listens any more.
    home.set("HOOKLANE_RETRY__DELAYS", r#"["0s","0s","0s"]"#);
    home.run(&["send", "events.jsonl"]);
    let failed = home.run(&["work", "--drain"]);
    assert!(
        failed
            .stdout
            .starts_with("0 delivered, 3 dead-lettered, 12 attempts"),
        "{failed:?}"
    );
    let groups = home.run(&["dlq", "groups"]).stdout;
    assert!(
        groups.contains("EventSetup_7") && groups.contains("EventSetup_8"),
        "{groups}"
    );

    // Somebody listens again.
    let mut receiver = home.start(&["listen", "--port", "0", "--secret", "s"]);
    let line = receiver.line();
    let url = line.trim().strip_prefix("listening on ").expect("a URL");
    home.set("HOOKLANE_CALLBACK__PRODUCTION__URL", &format!("{url}/hook"));
    let replayed = home.run(&["dlq", "replay", "--all"]);
    assert!(
        replayed.stdout.starts_with("3 of 3 dead letters replayed"),
        "{replayed:?}"
    );
    let worked = home.run(&["work", "--drain"]);
    assert!(worked.stdout.starts_with("3 delivered"), "{worked:?}");
    let heard = receiver.stop().stdout;
    assert_eq!(heard.matches("signature valid").count(), 3, "{heard}");
}

#[test]
fn a_worker_tells_its_state_on_the_three_paths_of_the_readme() {
    let sqs = LocalSqs::start(&[]);
    let mut home = sqs.home("events");
    home.set("HOOKLANE_WORKER__ADMIN_LISTEN", "127.0.0.1:0")
        .set("HOOKLANE_CALLBACK__PRODUCTION__URL", "https://127.0.0.1:9/");
    home.run_with(
        &["send"],
        b"{\"MessageGroupId\":\"EventSetup_1\",\"mkt_id\":1}",
    );
    let mut worker = home.start(&["work", "--drain"]);
    let line = worker.wait_for_log("state on http://");
    let (url, _) = line.rsplit_once(": /healthz").expect("an address");
    let state = address(url);
    worker.wait_for_log("attempt=1");
    for path in ["/healthz", "/readyz"] {
        let answer = get(state, path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let metrics = get(state, "/metrics");
    assert!(
        metrics.contains("\nhooklane_messages_received_total 1"),
        "{metrics}"
    );
    worker.signal("TERM");
    assert_eq!(worker.wait().code, Some(0));
}

#[test]
fn every_command_of_the_readme_is_one() {
    let sqs = LocalSqs::start(&[]);
    let home = sqs.home("events");
    let commands = README
        .lines()
        .filter_map(|line| line.strip_prefix("hooklane "));
    let mut seen = 0;
    for command in commands {
        let words: Vec<_> = command.split_whitespace().collect();
        let name = words
            .iter()
            .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        let name: Vec<_> = name.copied().take(2).chain(["--help"]).collect();
        let help = home.run(&name);
        assert_eq!(help.code, Some(0), "{command}: {help:?}");
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
    assert_told(&home.run(&["dlq", "show", "ID"]), 1, &["hooklane dlq ls"]);
}

#[test]
fn every_decision_that_a_comment_cites_is_a_heading_of_the_page() {
    let page = fs::read_to_string(repository().join("docs/DECISIONS.md")).expect("a page");
    let headings: BTreeSet<_> = page.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    let mut cited = 0;
    for file in sources(&repository().join("crates")) {
        let source = fs::read_to_string(&file).expect("a source");
        let words = source.split_whitespace();
        let words = words.filter(|word| !["//", "///", "//!"].contains(word));
        let text = words.collect::<Vec<_>>().join(" ");
        for cites in text.split("`docs/DECISIONS.md`, \"").skip(1) {
            let heading = cites.split('"').next().expect("a part");
            assert!(headings.contains(heading), "{}: {heading}", file.display());
            cited += 1;
        }
    }
    assert!(cited > 0, "nothing cites the page");
}

/// The Rust files of a folder and of all in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.flat_map(|path| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    });
    found
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn every_key_that_the_readme_names_is_one() {
    let rows = config::keys::all().iter();
    let keys = rows.flat_map(config::keys::Row::paths);
    let keys = keys.collect::<BTreeSet<_>>();
    let is_section = |name: &str| keys.iter().any(|key| key.starts_with(&format!("{name}.")));

    let of_a_key = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
    let in_code = README.split('`').skip(1).step_by(2);
    let paths = in_code
        .filter(|code| code.chars().all(of_a_key))
        .filter(|path| {
            let first = path.split('.').next();
            path.contains('.') && first.is_some_and(is_section)
        });
    let of_a_variable = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = README.split(|c| !of_a_variable(c));
    let variables = words.filter_map(|word| word.strip_prefix("HOOKLANE_"));
    let variables = variables.filter(|path| path.contains("__"));
    let variables = variables.map(|path| path.to_lowercase().replace("__", "."));

    let named = paths
        .map(str::to_owned)
        .chain(variables)
        .collect::<BTreeSet<_>>();
    assert!(named.len() > 5, "{named:?}");
    let unknown = named.difference(&keys).collect::<Vec<_>>();
    assert!(unknown.is_empty(), "{unknown:?}");
}
