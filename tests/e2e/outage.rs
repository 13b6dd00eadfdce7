//! An SQS that cannot be reached for a while: it never ends the worker.

use std::io::copy;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rig::receiver::{Receiver, accept};
use rig::world::{World, callback, done};

/// The way to a service, which can be cut.
pub(crate) struct Line {
    pub(crate) url: String,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Default)]
struct Connections {
    up: bool,
    open: Vec<TcpStream>,
}

impl Line {
    /// A line that is cut at first.
    pub(crate) fn to(endpoint: &str) -> Self {
        let target = endpoint.trim_start_matches("http://").trim_end_matches('/');
        let target = target.to_owned();
        let connections = Arc::<Mutex<Connections>>::default();
        let shared = connections.clone();
        let carrying = accept(move |client| carry(&shared, &target, &client));
        Self {
            url: format!("http://{carrying}"),
            connections,
        }
    }

    pub(crate) fn mend(&self) {
        lock(&self.connections).up = true;
    }

    fn cut(&self) {
        let mut connections = lock(&self.connections);
        connections.up = false;
        for connection in connections.open.drain(..) {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries one connection in both directions until either side closes it or the line is cut.
fn carry(
    connections: &Mutex<Connections>,
    target: &str,
    mut client: &TcpStream,
) -> std::io::Result<()> {
    let server = TcpStream::connect(target)?;
    {
        let mut connections = lock(connections);
        if !connections.up {
            return Ok(());
        }
        connections
            .open
            .extend([client.try_clone()?, server.try_clone()?]);
    }
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let there = thread::spawn(move || {
        let _ = copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Both)
    });
    let back = copy(&mut &server, &mut client);
    client.shutdown(Shutdown::Both)?;
    let _ = there.join();
    back.map(drop)
}

#[test]
fn an_sqs_that_cannot_be_reached_is_waited_for_told_once_and_never_ends_the_worker() {
    let mut world = World::fifo();
    let receiver = Receiver::start(|_, _| 200);
    world.configure(&callback(&receiver.url));
    let line = Line::to(world.sqs.endpoint());
    world.home.set("AWS_ENDPOINT_URL", &line.url);
    // A receive that is cut off may take messages with it, and SQS shows them again when their lease is over.
    world
        .home
        .set("HOOKLANE_RETRY__TIMEOUT", "1s")
        .set("HOOKLANE_WORKER__VISIBILITY_TIMEOUT", "11s");
    let send = |msg_id: &str| {
        world.send_plainly(
            Some(("EventSetup_1", msg_id)),
            &format!(r#"{{"msg_id":"{msg_id}"}}"#),
            &[],
        );
    };

    let mut worker = world.home.start(&["work"]);
    worker.wait_for_log("the queue cannot be opened; trying again until it can");
    send("after-the-start");
    line.mend();
    receiver.wait_for(1);

    line.cut();
    worker.wait_for_log("receiving from SQS fails; trying again until it works");
    send("after-the-cut");
    line.mend();
    receiver.wait_for(2);

    // Cut once more, so that no long poll is waited for.
    line.cut();
    let ended = worker.stop();
    assert!(
        !done(&ended).stderr.contains("ERROR"),
        "told more than once: {}",
        ended.stderr
    );
    let ids: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| request.webhook_id().to_owned())
        .collect();
    assert_eq!(ids, ["after-the-start", "after-the-cut"]);
}
