//! Names and their addresses, through the system's resolver.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Semaphore, watch};

/// Look-ups at the same time. Each occupies one of tokio's 512 threads for blocking work, until the system's resolver
/// gives up: the ledger needs them too.
const AT_ONCE: usize = 64;

/// What a look-up found, or why it did not.
pub(super) type Found = Result<Arc<[IpAddr]>, Arc<io::Error>>;

/// Asks for a name, and waits for the answer on the calling thread.
type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Looks names up: a name once at a time, whoever asks meanwhile; so a name that hangs takes up one place.
#[derive(Clone)]
pub(super) struct Lookups {
    resolve: Arc<Resolve>,
    places: Arc<Semaphore>,
    running: Arc<Mutex<HashMap<String, watch::Receiver<Option<Found>>>>>,
}

impl Lookups {
    pub(super) fn new() -> Self {
        Self::by(resolve)
    }

    pub(super) fn by(
        resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            resolve: Arc::new(resolve),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            running: Arc::default(),
        }
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// When the system cannot tell them; a shortage of ours comes as what it is.
    pub(super) async fn addresses(&self, name: &str) -> Found {
        let mut found = self.join(name);
        let gone = || Err(Arc::new(io::Error::other("the look-up broke off")));
        match found.wait_for(Option::is_some).await {
            Ok(found) => found.clone().unwrap_or_else(gone),
            Err(_) => gone(),
        }
    }

    /// The look-up of this name that is running, or a new one. It runs on when nobody waits for it any more: the
    /// system's resolver cannot be told to stop.
    fn join(&self, name: &str) -> watch::Receiver<Option<Found>> {
        let mut running = self.running();
        if let Some(found) = running.get(name) {
            return found.clone();
        }
        let (tell, found) = watch::channel(None);
        running.insert(name.to_owned(), found.clone());
        let (lookups, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            let looked = lookups.look_up(name.clone()).await;
            lookups.running().remove(&name);
            let _ = tell.send(Some(looked));
        });
        found
    }

    async fn look_up(&self, name: String) -> Found {
        let place = self.places.clone().acquire_owned().await;
        let resolve = self.resolve.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let _place = place;
            resolve(&name)
        });
        match looked
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(addresses) => Ok(addresses.into()),
            Err(error) => Err(Arc::new(error)),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<Found>>>> {
        self.running.lock().expect("no holder panics")
    }
}

impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

/// Asks the system.
fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    match (name, 0).to_socket_addrs() {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        // A resolver without a descriptor for its own socket or file may say only that it failed: whether there is one
        // shows when it is asked for.
        Err(error) if error.raw_os_error().is_none() => {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}
