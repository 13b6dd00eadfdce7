//! The longer texts of the help.

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

pub(super) const CONFIG: &str = "\
Exit code 2 if something is wrong. Every key can also be set from the
environment, as HOOKLANE_ and its path joined by two underscores:
HOOKLANE_QUEUE__URL, HOOKLANE_RETRY__DELAYS='[\"0s\",\"1m\",\"0s\"]'.

Keys:
  environment = \"production\"          or \"non-production\"
  [queue]
  url, dead_letter_url                the source queue and the internal queue
  [callback.production], [callback.non_production]
  url                                 where all events go
  shared_secret, api_key              one of them: \"env:NAME\", \"file:PATH\"
                                      (shared_secret: or a list of them)
  signature = \"hmac-sha256-hex\"       or hmac-sha256-base64,
                                      hmac-sha256-hex-prefixed,
                                      shared-secret, standard-webhooks
  [callback.production.events]        a URL per event name
  [retry]
  profile = \"avionte\"                 or \"avaza\"; the keys below change it
  delays = [\"0s\", \"1m\", \"0s\"]         the waits before attempts 2, 3, 4
  accept = [200, 201]
  timeout = \"30s\"
  retry_after = \"ignore\"              or \"lengthen\"
  retry_after_max = \"15m\"             how far it lengthens a wait
  [worker]
  ledger = \"sqlite:hooklane.db\"       relative to the file; for a fleet
                                      \"dynamodb:TABLE\"
  max_in_flight = 256                 POSTs at the same time
  max_bytes_in_flight = \"256MiB\"      of events in hand
  visibility_timeout = \"2m\"
  shutdown_grace = \"25s\"
  admin_listen = \"127.0.0.1:9464\"
  [endpoint]
  reuse_connections = true            false: a new one for every attempt
  allow_http = false
  allow_networks = []                 such as [\"127.0.0.0/8\"]
  [console]
  listen = \"127.0.0.1:9465\"
  token                               \"env:NAME\" or \"file:PATH\", at least 16
                                      characters; others than loopback
                                      addresses need one
  drop_dir = \".\"                      where dropped letters are written to

Examples:
  hooklane config check
  hooklane config check --config staging.toml --json | jq .problems";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;

    #[test]
    fn the_help_of_config_check_lists_every_key() {
        let command = Cli::command();
        let check = command
            .find_subcommand("config")
            .and_then(|config| config.find_subcommand("check"));
        let help = check
            .and_then(clap::Command::get_after_help)
            .expect("told")
            .to_string();
        for key in config::keys::all() {
            let name = key
                .trim_end_matches(".*")
                .rsplit('.')
                .next()
                .expect("a name");
            assert!(help.contains(name), "{key}");
        }
    }
}
