//! How a connection comes to be: look-ups, several addresses, and what this machine may lack.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::*;
use crate::post::connect::{first_of, none_of};
use crate::post::guard::Admitted;
use crate::post::lookup::Lookups;

/// Posts to this machine; names are looked up like this.
fn looking_up(
    resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
) -> HttpPost {
    let mut post = local_post();
    post.connector = post.connector.looking_up(Lookups::by(resolve));
    post
}

fn refused() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

fn addresses(n: u8) -> Vec<Admitted> {
    let address = |last| SocketAddr::from(([192, 0, 2, last], 443));
    let guard = Guard::new(["192.0.2.0/24".parse().unwrap()]);
    guard.admit((1..=n).map(address)).unwrap()
}

/// Tries three addresses of which some are refused and some silent; gives which one it was, and after how long.
async fn tried(refused_ones: &[u8], silent: &[u8]) -> (Result<u8, NoAnswer>, Duration) {
    let began = Instant::now();
    let connect = |address: Admitted| async move {
        let SocketAddr::V4(address) = address.address() else {
            panic!("{address:?}");
        };
        let n = address.ip().octets()[3];
        match n {
            n if refused_ones.contains(&n) => Err((address.into(), refused())),
            n if silent.contains(&n) => std::future::pending().await,
            n => Ok(n),
        }
    };
    let connected = tokio::time::timeout(AMPLE, first_of(addresses(3), connect)).await;
    let nothing = || Err(failure(FailureKind::Timeout, "nothing").into());
    (connected.unwrap_or_else(|_| nothing()), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_dead_address_holds_the_others_up_for_a_moment_only() {
    for (refused, silent, expected, after_ms) in [
        (&[][..], &[][..], 1, 0),
        (&[1], &[], 2, 0),
        (&[1, 2], &[], 3, 0),
        (&[], &[1], 2, 250),
        (&[], &[1, 2], 3, 500),
        (&[2], &[1], 3, 250),
        (&[], &[2, 3], 1, 0),
    ] {
        let (connected, after) = tried(refused, silent).await;
        assert_eq!(connected, Ok(expected), "{refused:?} {silent:?}");
        assert_eq!(
            after,
            Duration::from_millis(after_ms),
            "{refused:?} {silent:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_whose_addresses_all_refuse_says_so_of_each() {
    let (connected, _) = tried(&[1, 2, 3], &[]).await;
    let Err(NoAnswer::Failed(Failure { kind, detail })) = connected else {
        panic!("{connected:?}");
    };
    assert_eq!(kind, FailureKind::Connect);
    for n in 1..=3 {
        assert!(
            detail.contains(&format!("192.0.2.{n}:443: connection refused")),
            "{detail}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_phase_that_takes_too_long_is_named() {
    let mut phase = Phase::LookingUp("hooks.example.com".to_owned());
    for said in [
        "looking up hooks.example.com",
        "connecting to 192.0.2.1:443",
        "TLS handshake with",
    ] {
        let silent = async {
            sleep(Duration::from_secs(3600)).await;
            Ok(())
        };
        let late = connect::in_time(&phase, silent).await;
        let Err(NoAnswer::Failed(Failure { kind, detail })) = late else {
            panic!("{late:?}");
        };
        assert_eq!(kind, FailureKind::Timeout);
        assert!(detail.contains(said) && detail.contains("10s"), "{detail}");
        let address = SocketAddr::from(([192, 0, 2, 1], 443));
        phase = match phase {
            Phase::LookingUp(_) => Phase::Connecting(vec![address]),
            _ => Phase::Handshake(address),
        };
    }
}

#[tokio::test]
async fn a_look_up_that_hangs_is_named() {
    let (done, hangs) = std::sync::mpsc::channel::<()>();
    let hangs = Mutex::new(hangs);
    let post = looking_up(move |_| {
        // Until the test is over.
        let _ = hangs.lock().unwrap().recv();
        Err(refused())
    });
    let failure = failing(&post, "http://hooks.example.com/", SHORT).await;
    assert_eq!(failure.kind, FailureKind::Timeout);
    let phase = "looking up hooks.example.com: no more within 150ms";
    assert!(failure.detail.contains(phase), "{}", failure.detail);
    drop(done);
}

#[tokio::test]
async fn a_name_is_reached_at_its_second_address() {
    let (receiver, _) = Receiver::recording().await;
    // Nobody listens on that port of the first.
    let post = looking_up(|_| Ok(vec!["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]));
    let url = format!("http://hooks.example.com:{}/", receiver.address.port());
    assert_eq!(answer(&post, &url).await.status, 200);
}

#[tokio::test]
async fn what_a_name_resolves_to_is_judged() {
    let post = looking_up(|_| Ok(vec!["10.0.0.1".parse().unwrap(), "::".parse().unwrap()]));
    let kind = kind_of_failure(&post, "http://hooks.example.com/", AMPLE).await;
    assert_eq!(kind, FailureKind::BlockedAddress);
    let post = looking_up(|_| Ok(Vec::new()));
    let kind = kind_of_failure(&post, "http://hooks.example.com/", AMPLE).await;
    assert_eq!(kind, FailureKind::Dns);
}

/// A resolver that says when it is asked, and answers when it is told to.
struct Hanging {
    lookups: Lookups,
    asked: mpsc::UnboundedReceiver<String>,
    told: Arc<(Mutex<bool>, Condvar)>,
}

impl Hanging {
    fn new() -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let told = Arc::new((Mutex::new(false), Condvar::new()));
        let gate = told.clone();
        let lookups = Lookups::by(move |name| {
            asks.send(name.to_owned()).unwrap();
            let (told, changed) = &*gate;
            let told = changed.wait_while(told.lock().unwrap(), |told| !*told);
            drop(told.unwrap());
            Ok(vec!["127.0.0.1".parse().unwrap()])
        });
        Self {
            lookups,
            asked,
            told,
        }
    }

    fn ask(&self, name: String) -> tokio::task::JoinHandle<bool> {
        let lookups = self.lookups.clone();
        tokio::spawn(async move { lookups.addresses(&name).await.is_ok() })
    }

    fn answer(&self) {
        *self.told.0.lock().unwrap() = true;
        self.told.1.notify_all();
    }
}

#[tokio::test]
async fn look_ups_that_hang_leave_threads_for_the_ledger() {
    let mut hanging = Hanging::new();
    // As many as tokio has threads for what blocks.
    let waiting: Vec<_> = (0..512)
        .map(|n| hanging.ask(format!("{n}.example.com")))
        .collect();
    for _ in 0..64 {
        hanging.asked.recv().await.unwrap();
    }
    tokio::task::spawn_blocking(|| ()).await.unwrap();
    assert!(hanging.asked.try_recv().is_err());
    hanging.answer();
    for found in waiting {
        assert!(found.await.unwrap());
    }
}

#[tokio::test]
async fn a_name_that_hangs_is_looked_up_once_for_all_who_ask() {
    let mut hanging = Hanging::new();
    let first = hanging.ask("slow.example.com".to_owned());
    assert_eq!(hanging.asked.recv().await.unwrap(), "slow.example.com");
    // Whoever gives up ends nothing, and those who come after join in.
    first.abort();
    let waiting: Vec<_> = (0..100)
        .map(|_| hanging.ask("slow.example.com".to_owned()))
        .collect();
    let other = hanging.ask("other.example.com".to_owned());
    assert_eq!(hanging.asked.recv().await.unwrap(), "other.example.com");
    hanging.answer();
    for found in waiting.into_iter().chain([other]) {
        assert!(found.await.unwrap());
    }
    assert!(hanging.asked.try_recv().is_err());
    // Nothing is remembered: the next one asks anew.
    assert!(hanging.ask("slow.example.com".to_owned()).await.unwrap());
    assert_eq!(hanging.asked.recv().await.unwrap(), "slow.example.com");
}

const SHORTAGES: [i32; 5] = [
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::EADDRNOTAVAIL,
];

#[tokio::test]
async fn a_shortage_is_ours_wherever_it_shows() {
    for code in SHORTAGES {
        let post = looking_up(move |_| Err(io::Error::from_raw_os_error(code)));
        let outcome = post.post(request("http://hooks.example.com/", AMPLE)).await;
        assert!(
            matches!(outcome, Err(NoAnswer::Shortage(_))),
            "{code}: {outcome:?}"
        );

        let here = SocketAddr::from(([127, 0, 0, 1], 443));
        let failures = vec![
            (here, refused()),
            (here, io::Error::from_raw_os_error(code)),
        ];
        let outcome = none_of(failures);
        assert!(
            matches!(outcome, NoAnswer::Shortage(_)),
            "{code}: {outcome:?}"
        );
    }
    for code in [
        libc::ECONNREFUSED,
        libc::ENETUNREACH,
        libc::EHOSTUNREACH,
        libc::EACCES,
    ] {
        let failure = vec![(
            SocketAddr::from(([127, 0, 0, 1], 443)),
            io::Error::from_raw_os_error(code),
        )];
        let outcome = none_of(failure);
        assert!(
            matches!(outcome, NoAnswer::Failed(_)),
            "{code}: {outcome:?}"
        );
    }
}

/// Says to a second run of the test below that it has few descriptors.
const CHILD: &str = "HOOKLANE_TEST_FEW_DESCRIPTORS";

/// Takes every descriptor that is left.
fn take_all_descriptors() -> Vec<std::fs::File> {
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

/// Limits are those of a process, so this test runs itself in one of its own.
#[tokio::test]
async fn a_process_without_descriptors_fails_no_receiver() {
    if std::env::var_os(CHILD).is_none() {
        let mut child = Command::new("sh");
        let test = "post::tests::connecting::a_process_without_descriptors_fails_no_receiver";
        let program = std::env::current_exe().unwrap();
        child
            .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
            .arg(program);
        child.args([test, "--exact"]).env(CHILD, "1");
        let output = tokio::task::spawn_blocking(move || child.output().unwrap());
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let (receiver, _) = Receiver::recording().await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/");
        let post = local_post();
        let taken = take_all_descriptors();
        let outcome = post.post(request(&url, AMPLE)).await;
        drop(taken);
        let is_ours = matches!(outcome, Err(NoAnswer::Shortage(_)));
        assert!(is_ours, "{host}: {outcome:?}");
        assert_eq!(answer(&post, &url).await.status, 200);
    }
}
