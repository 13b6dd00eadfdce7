//! `verify`: does a captured request match a secret?

use delivery::SignatureMode;
use serde::Serialize;

use super::{Context, read_bounded};
use crate::cli::Verify;
use crate::exit::{Exit, Usage};
use crate::output;
use config::secret;

/// More than any event can be: SQS takes 1 MiB.
const MAX_BODY: u64 = 2 * 1024 * 1024;

#[derive(Serialize)]
struct Verdict {
    valid: bool,
    mode: Option<&'static str>,
}

pub(super) fn run(arguments: &Verify, context: &Context) -> anyhow::Result<Exit> {
    let secrets = arguments
        .secret
        .iter()
        .map(|given| secret::argument(&given.0, &context.environment));
    let secrets = secrets
        .collect::<Result<Vec<_>, _>>()
        .map_err(|problem| Usage(format!("--secret: {problem}")))?;
    let body = read_bounded(&arguments.file, MAX_BODY)?;
    let signature = &arguments.signature.0;
    let mode = delivery::verify(
        &secrets,
        signature,
        arguments.id.as_deref(),
        arguments.timestamp,
        &body,
    );
    let verdict = Verdict {
        valid: mode.is_some(),
        mode: mode.map(SignatureMode::as_str),
    };
    output::result(arguments.output.json, &verdict, || text(mode, arguments))?;
    if verdict.valid {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Failed)
    }
}

fn text(mode: Option<SignatureMode>, arguments: &Verify) -> String {
    let standard = arguments.signature.0.contains("v1,");
    match mode {
        Some(mode) => format!("valid: {mode}"),
        None if standard && (arguments.id.is_none() || arguments.timestamp.is_none()) => {
            "no match: a standard-webhooks signature also needs --id and --timestamp".to_owned()
        }
        None => "no match: another secret, or other bytes than were signed".to_owned(),
    }
}
