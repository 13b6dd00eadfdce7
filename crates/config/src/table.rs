//! The table of keys: each is named here, and nowhere else.

use std::net::SocketAddr;
use std::time::Duration;

use delivery::{RetrySchedule, SignatureMode};
use ipnet::IpNet;
use store::LedgerSpec;

use super::key::{Key, Row, key};
use super::values::secret::{SecretSource, SecretSources};
use super::values::size::Size;
use super::values::url::{CallbackUrl, QueueUrl};
use super::values::word::{AskedWaits, Environment, Profile};

const TOP: &[&str] = &[""];
const QUEUE: &[&str] = &["queue"];

/// That of production, and that of non-production.
pub(super) const CALLBACKS: &[&str; 2] = &["callback.production", "callback.non_production"];

pub(super) const RETRY: &[&str] = &["retry"];
const WORKER: &[&str] = &["worker"];
const ENDPOINT: &[&str] = &["endpoint"];
const CONSOLE: &[&str] = &["console"];

macro_rules! table {
    ($($key:ident: $value:ty = $row:expr;)+) => {
        $(pub(super) const $key: Key<$value> = $row;)+

        /// Every key, in the order of the documentation, section by section.
        pub(super) const ROWS: &[Row] = &[$($key.row),+];
    };
}

// What keys of one kind say together stands with the last of them.
table! {
    ENVIRONMENT: Environment = key(TOP, "environment")
        .default("\"production\"")
        .help("or \"non-production\"");

    QUEUE_URL: QueueUrl = key(QUEUE, "url");
    DEAD_LETTER_URL: QueueUrl = key(QUEUE, "dead_letter_url")
        .help("the source queue and the internal queue");

    CALLBACK_URL: CallbackUrl = key(CALLBACKS, "url")
        .help("where all events go");
    SHARED_SECRET: SecretSources = key(CALLBACKS, "shared_secret");
    API_KEY: SecretSource = key(CALLBACKS, "api_key")
        .help("one of them: \"env:NAME\", \"file:PATH\"\n(shared_secret: or a list of them)");
    SIGNATURE: SignatureMode = key(CALLBACKS, "signature")
        .default("\"hmac-sha256-hex\"")
        .help("or hmac-sha256-base64,\nhmac-sha256-hex-prefixed,\nshared-secret, standard-webhooks");
    EVENTS: CallbackUrl = key(CALLBACKS, "events.*")
        .help("a URL per event name");

    PROFILE: Profile = key(RETRY, "profile")
        .default("\"avionte\"")
        .help("or \"avaza\"; the keys below change it");
    DELAYS: Vec<Duration> = key(RETRY, "delays")
        .default("[\"0s\", \"1m\", \"0s\"]")
        .checked(|_, delays: &Vec<_>| in_words(RetrySchedule::check_delays(delays)))
        .help("the waits before attempts 2, 3, 4");
    ACCEPT: Vec<u16> = key(RETRY, "accept")
        .default("[200, 201]")
        .checked(|_, statuses: &Vec<_>| in_words(RetrySchedule::check_accept(statuses)));
    TIMEOUT: Duration = key(RETRY, "timeout")
        .default("\"30s\"")
        .checked(|_, timeout| in_words(RetrySchedule::check_timeout(*timeout)));
    RETRY_AFTER: AskedWaits = key(RETRY, "retry_after")
        .default("\"ignore\"")
        .help("or \"lengthen\"");
    RETRY_AFTER_MAX: Duration = key(RETRY, "retry_after_max")
        .default("\"15m\"")
        .checked(|_, max| in_words(RetrySchedule::check_retry_after_max(*max)))
        .help("how far it lengthens a wait");

    LEDGER: LedgerSpec = key(WORKER, "ledger")
        .default("\"sqlite:hooklane.db\"")
        .help("relative to the file; for a fleet\n\"dynamodb:TABLE\"");
    MAX_IN_FLIGHT: u32 = key(WORKER, "max_in_flight")
        .default("256")
        .range("1", "10000")
        .help("POSTs at the same time");
    // From the largest message that SQS takes to more than any machine should give.
    MAX_BYTES_IN_FLIGHT: Size = key(WORKER, "max_bytes_in_flight")
        .default("\"256MiB\"")
        .range("\"1MiB\"", "\"64GiB\"")
        .help("of events in hand");
    VISIBILITY_TIMEOUT: Duration = key(WORKER, "visibility_timeout")
        .default("\"2m\"");
    SHUTDOWN_GRACE: Duration = key(WORKER, "shutdown_grace")
        .default("\"25s\"")
        .range("\"0s\"", "\"1h\"");
    ADMIN_LISTEN: SocketAddr = key(WORKER, "admin_listen")
        .default("\"127.0.0.1:9464\"");

    REUSE_CONNECTIONS: bool = key(ENDPOINT, "reuse_connections")
        .default("true")
        .help("false: a new one for every attempt");
    ALLOW_HTTP: bool = key(ENDPOINT, "allow_http")
        .default("false");
    ALLOW_NETWORKS: Vec<IpNet> = key(ENDPOINT, "allow_networks")
        .default("[]")
        .help("such as [\"127.0.0.0/8\"]");

    CONSOLE_LISTEN: SocketAddr = key(CONSOLE, "listen")
        .default("\"127.0.0.1:9465\"");
    TOKEN: SecretSource = key(CONSOLE, "token")
        .help("\"env:NAME\" or \"file:PATH\", at least 16\ncharacters; others than loopback\naddresses need one");
    DROP_DIR: String = key(CONSOLE, "drop_dir")
        .default("\".\"")
        .help("where dropped letters are written to");
}

fn in_words(checked: Result<(), delivery::ScheduleError>) -> Result<(), String> {
    checked.map_err(|error| error.to_string())
}
