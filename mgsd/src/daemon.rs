//! Puts the parts together and runs them until a signal comes.

use crate::banner::{self, LNET_PORT};
use crate::config::Config;
use crate::drive::{self, DriveError, Handle, Identity};
use crate::http;
use crate::store_check::{self, Checked};
use lnet_proxy::link::{FrameLink, RelayListener};
use lnet_proxy::{BindError, Link, link};
use mgs_api::StoreInfo;
use mgs_core::lint;
use mgs_core::model::View;
use mgs_core::model::commit::broken_links;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use store_backends::sqlite::SqliteStore;
use store_backends::{Place, Store, StoreError};
use tokio::sync::watch;

/// For requests in service when the daemon is to end.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(3);

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A directory of ours cannot be made.
    #[error("directory {}: {error}", path.display())]
    Data {
        /// Directory.
        path: std::path::PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine cannot start, or had to stop.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// LNet cannot listen.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The API cannot listen.
    #[error(transparent)]
    Api(#[from] http::BindError),
    /// The catalogue of tunables cannot be used.
    #[error("catalogue {}: {why}; leave it out to judge by the one that is built in", path.display())]
    Catalogue {
        /// File.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The thread of one of several MGS.
    #[error("{0}")]
    Thread(String),
    /// The relay socket cannot be opened.
    #[error("relay socket {}: {error}", path.display())]
    Relay {
        /// Socket.
        path: std::path::PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// What runs, for those who start it in their own process.
#[derive(Clone, Debug)]
pub struct Running {
    /// Addresses that LNet listens on; empty with a relay socket.
    pub addresses: Vec<SocketAddr>,
    /// UUID of the MGS.
    pub uuid: String,
}

/// Serves until `stop` is done. `ready` is called once everything listens.
///
/// # Errors
/// Whatever keeps it from starting, or from going on.
pub async fn serve(
    config: Config,
    ready: impl FnOnce(&Running),
    stop: impl Future<Output = ()>,
) -> Result<(), DaemonError> {
    make_dir(&config.data)?;
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (store, checked) = open(&config, started).await?;
    let identity = Identity {
        checked,
        name: config.name.clone(),
        nids: config.nids.clone(),
        store: StoreInfo {
            kind: config.store.kind().to_owned(),
            location: match &config.store {
                Place::Sqlite(dir) => dir.display().to_string(),
                place => place.to_string(),
            },
            format: 1,
            trouble: None,
            silent_since: None,
            checked: None,
            damage: Vec::new(),
        },
        started,
    };
    let engine = mgs_core::engine::Config {
        ir_timeout: config.ir_timeout,
        dead_sections: config.dead_sections,
        catalogue: catalogue(config.catalogue.as_deref())?,
    };
    let weak = Arc::downgrade(&store);
    let (driver, handle) = drive::start(engine, store, identity).await?;
    drive::retention::spawn(handle.clone(), weak, config.keep);
    let mut driver = tokio::spawn(driver.run());
    let apis = bind_apis(&config).await?;

    let mut addresses = Vec::new();
    let mut proxy = None;
    let mut relay_task = tokio::task::JoinSet::new();
    match &config.relay {
        Some(path) => {
            let relay = |error| DaemonError::Relay { path: path.clone(), error };
            let listener = RelayListener::bind(path).await.map_err(relay)?;
            relay_task.spawn(serve_relay(listener, handle.clone()));
        }
        None => {
            let (spawned, near) = spawn_proxy(&config)?;
            addresses.clone_from(&spawned.addresses);
            proxy = Some(spawned);
            let handle = handle.clone();
            tokio::spawn(async move { handle.serve_link(near).await });
        }
    }
    tokio::pin!(stop);
    let uuid = tokio::select! {
        uuid = handle.created() => uuid,
        () = &mut stop => return Ok(()),
    };
    ready(&Running { addresses, uuid });

    let (quit, quitting) = watch::channel(());
    let mut serving = tokio::task::JoinSet::new();
    for api in apis {
        let (router, mut quitting) = (http::router(Arc::new(handle.clone())), quitting.clone());
        serving.spawn(api.serve(router, async move {
            let _ = quitting.changed().await; // dropped counts as said
        }));
    }
    let result = tokio::select! {
        biased;
        () = &mut stop => Ok(()),
        ended = &mut driver => reason(ended),
        // With the engine its link ends, and LNet by that: the engine says why, perhaps a moment later.
        () = proxy_ended(proxy.as_ref()) => match tokio::time::timeout(FAREWELL, &mut driver).await {
            Ok(ended) => reason(ended),
            Err(_) => Err(DriveError::View("LNet's task ended".to_owned()).into()),
        },
    };
    if result.is_ok() {
        // Who is slow now finds out from the next daemon.
        let _ = tokio::time::timeout(FAREWELL, handle.farewell()).await;
    }
    relay_task.shutdown().await;
    // The store is closed when we return: somebody may open it next.
    driver.abort();
    if !driver.is_finished() {
        let _ = (&mut driver).await;
    }
    drop(quit);
    if let Some(proxy) = proxy {
        proxy.shutdown().await;
    }
    serving.join_all().await; // they end in any case
    result
}

/// The tunables that parameters are judged by. The shipped ones are parsed beside: the first assignment waits for them.
fn catalogue(path: Option<&Path>) -> Result<tunables::InUse, DaemonError> {
    let Some(path) = path else {
        tokio::task::spawn_blocking(tunables::Catalogue::shipped);
        return Ok(tunables::InUse::default());
    };
    let bad = |why: String| DaemonError::Catalogue { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let found = tunables::Catalogue::parse(&text).map_err(|e| bad(e.to_string().trim().to_owned()))?;
    let (release, names) = (&found.meta().lustre_version, found.tunables().len());
    tracing::info!(file = %path.display(), lustre = %release, names, "catalogue of tunables");
    Ok(found.into())
}

/// How the engine's task ended.
fn reason(ended: Result<Result<(), DriveError>, tokio::task::JoinError>) -> Result<(), DaemonError> {
    match ended {
        Ok(ended) => Ok(ended?),
        Err(panic) => Err(DriveError::View(format!("the engine's task ended: {panic}")).into()),
    }
}

/// The socket of its own, and that of the process where it is alone there.
async fn bind_apis(config: &Config) -> Result<Vec<http::UnixApi>, DaemonError> {
    if config.name.is_some()
        && let Some(dir) = config.api.parent()
    {
        make_dir(dir)?;
    }
    let mut apis = vec![http::UnixApi::bind(&config.api).await?];
    if let Some(path) = &config.api_alias {
        apis.push(http::UnixApi::bind(path).await?);
    }
    Ok(apis)
}

fn make_dir(path: &Path) -> Result<(), DaemonError> {
    std::fs::create_dir_all(path).map_err(|error| DaemonError::Data { path: path.to_owned(), error })
}

/// The store, and what a look at the whole of an embedded one finds.
async fn open(
    config: &Config,
    started: u64,
) -> Result<(Arc<dyn Store>, watch::Receiver<Checked>), DaemonError> {
    let Place::Sqlite(dir) = &config.store else {
        // A cluster looks after its own pages; values are checked as they are read.
        return Ok((config.store.open().await?, watch::channel(Checked::default()).1));
    };
    make_dir(dir)?;
    let store = Arc::new(SqliteStore::open(dir)?);
    let checked = store_check::spawn(&store, started, config.check_interval);
    Ok((store, checked))
}

/// The proxy in this process, and our end of its link. Port 988 unless another was asked for; where that cannot be
/// had, a high port, which only simulated nodes can use.
fn spawn_proxy(config: &Config) -> Result<(lnet_proxy::Handle, FrameLink), BindError> {
    let spawn = |port: u16| {
        let mut proxy = lnet_proxy::Config::new(config.nids.clone()).with_port(port);
        proxy.bind = config.bind.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        proxy.wait_address = config.wait_address;
        proxy.core.routes.clone_from(&config.routes);
        proxy.core.identity = format!("mgsd pid {}", std::process::id());
        let (near, far) = link::pair();
        lnet_proxy::spawn(proxy, Link::Memory(far)).map(|handle| (handle, near))
    };
    match spawn(config.port.unwrap_or(LNET_PORT)) {
        Err(error @ (BindError::Permission { .. } | BindError::InUse { .. })) if config.port.is_none() => {
            tracing::warn!(%error, "port 988 cannot be had; taking a high port, for simulated nodes only");
            spawn(0)
        }
        done => done,
    }
}

/// Never without a proxy of our own.
async fn proxy_ended(proxy: Option<&lnet_proxy::Handle>) {
    match proxy {
        Some(proxy) => proxy.ended().await,
        None => std::future::pending().await,
    }
}

/// Who may say which peer sent what: root, and the user that mgsd runs as.
const fn may_serve(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

async fn serve_relay(listener: RelayListener, handle: Handle) {
    let own = rustix::process::geteuid().as_raw();
    loop {
        match listener.accept().await {
            Ok((_, uid)) if !may_serve(uid, own) => {
                tracing::warn!(
                    uid,
                    own,
                    "refused a relay connection: a proxy must run as root or as mgsd's user"
                );
            }
            Ok((link, uid)) => {
                tracing::info!(uid, "a proxy dials in");
                let handle = handle.clone();
                tokio::spawn(async move { handle.serve_link(link).await });
            }
            Err(error) => {
                tracing::warn!(%error, "relay socket");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// Prints the banner of [`banner::text`].
pub fn greet(config: &Config, running: &Running) {
    let text = banner::text(config, running);
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush()); // nobody may be looking
}

/// `mgsd check`: the findings, one line each.
///
/// # Errors
/// The store cannot be read at all.
pub fn check(place: &Place) -> Result<Vec<String>, DaemonError> {
    let mut findings: Vec<String> = match place {
        Place::Sqlite(dir) => store_backends::sqlite::check(dir)?.iter().map(ToString::to_string).collect(),
        // a cluster looks after its own pages; a damaged value ends the reading below, by its key
        _ => Vec::new(),
    };
    if findings.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DaemonError::Data { path: place.to_string().into(), error })?;
        let all = runtime.block_on(async { place.open().await?.range("").await })?;
        match View::load(all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()))) {
            Ok(view) => {
                let records = all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()));
                findings.extend(broken_links(records, view.anchor()));
                findings.extend(lint::view(&view));
            }
            Err(error) => findings.push(error.to_string()),
        }
    }
    Ok(findings)
}
