//! Several MGS in one process. Each has a thread, a runtime and log lines of its own, so that none waits for another;
//! what ends one of them leaves the others serving, and it is started again.
//!
//! ```text
//!  serve ─┬─ look_after(a) ── thread: runtime ── daemon::serve(a)
//!         ├─ look_after(b) ── thread: runtime ── daemon::serve(b)      state ─► door: the socket that lists them
//!         └─ stop ─► all at once
//! ```
//!
//! At the start all have to come up, or none serves: a mistake is to be seen by who made it.

use crate::banner;
use crate::config::{Config, Site};
use crate::daemon::{self, DaemonError, Running};
use crate::http::{self, Entry};
use std::cell::RefCell;
use std::future::Future;
use std::io::Write as _;
use std::thread;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::span::EnteredSpan;

/// Pause before an MGS that has ended is started again; doubled with each start that fails.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// For what a runtime still does when its MGS has ended.
const REMAINS: Duration = Duration::from_secs(1);

/// Why the process does not serve.
#[derive(Debug, thiserror::Error)]
pub enum SeveralError {
    /// One of them does not start, so that none serves.
    #[error("MGS {name}: {error}")]
    Mgs {
        /// Its name.
        name: String,
        /// Why.
        error: DaemonError,
    },
    /// The socket that lists them cannot be had.
    #[error(transparent)]
    Api(#[from] http::BindError),
}

thread_local! {
    /// The log lines of this thread belong to an MGS.
    static SPAN: RefCell<Option<EnteredSpan>> = const { RefCell::new(None) };
}

/// What one of them says of itself.
enum News {
    Serves(usize, Running),
    Down(usize, String),
}

/// Serves all until `stop` is done. `ready` is called once everything of all listens, with them in order.
///
/// # Errors
/// One does not start, or the socket that lists them cannot be had.
pub async fn serve(
    site: Site,
    ready: impl FnOnce(&[Running]),
    stop: impl Future<Output = ()>,
) -> Result<(), SeveralError> {
    let entry =
        |config: &Config| Entry { name: name(config).to_owned(), api: config.api.clone(), down: None };
    let (entries, listed) = watch::channel(site.mgs.iter().map(entry).collect::<Vec<_>>());
    let door = http::UnixApi::bind(&site.api).await?;
    let (quit, quitting) = oneshot::channel::<()>();
    let door = tokio::spawn(door.serve(http::door(listed), async {
        let _ = quitting.await; // dropped counts as said
    }));

    let (stopping, stopped) = watch::channel(false);
    let (tell, mut news) = mpsc::channel(site.mgs.len());
    let mut all = JoinSet::new();
    for (number, config) in site.mgs.iter().enumerate() {
        all.spawn(look_after(number, config.clone(), tell.clone(), stopped.clone()));
    }
    let mut started: Vec<Option<Running>> = vec![None; site.mgs.len()];
    let mut ready = Some(ready);
    let mut result = Ok(());
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = all.join_next() => {
                result = ended.unwrap_or(Ok(())); // who looks after one does not panic
                break;
            }
            Some(news) = news.recv() => {
                let (number, down) = match news {
                    News::Serves(number, running) => {
                        if let Some(place) = started.get_mut(number) {
                            *place = Some(running);
                        }
                        (number, None)
                    }
                    News::Down(number, why) => (number, Some(why)),
                };
                entries.send_modify(|all| {
                    if let Some(entry) = all.get_mut(number) {
                        entry.down = down;
                    }
                });
                let serving: Vec<Running> = started.iter().flatten().cloned().collect();
                if serving.len() == started.len() && let Some(ready) = ready.take() {
                    ready(&serving);
                }
            }
        }
    }
    stopping.send_replace(true);
    while let Some(ended) = all.join_next().await {
        result = result.and(ended.unwrap_or(Ok(())));
    }
    drop(quit);
    let _ = door.await; // it ends in any case
    result
}

/// One MGS until the process stops. Only its first start may fail for good.
async fn look_after(
    number: usize,
    config: Config,
    tell: mpsc::Sender<News>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), SeveralError> {
    let failed = |error| SeveralError::Mgs { name: name(&config).to_owned(), error };
    let mut pause = PAUSE_MIN;
    let mut served = false;
    loop {
        let (ready, is_ready) = oneshot::channel();
        let (stop, is_stopped) = oneshot::channel();
        let mut ended = start(config.clone(), ready, is_stopped);
        tokio::pin!(is_ready);
        let mut waits = true;
        let ended = loop {
            tokio::select! {
                biased;
                () = told(&mut stopped) => {
                    drop(stop);
                    return ended.await.unwrap_or(Ok(())).map_err(failed);
                }
                ended = &mut ended => break ended,
                ready = &mut is_ready, if waits => {
                    waits = false;
                    if let Ok(running) = ready {
                        served = true;
                        pause = PAUSE_MIN;
                        let _ = tell.send(News::Serves(number, running)).await; // the process may be stopping
                    }
                }
            }
        };
        let why = match ended {
            Ok(Err(error)) if !served => return Err(failed(error)),
            Ok(Err(error)) => error.to_string(),
            // Its thread broke off.
            Ok(Ok(())) | Err(_) if !served => {
                return Err(failed(DaemonError::Thread("it ended while it started".to_owned())));
            }
            Ok(Ok(())) | Err(_) => "it ended; the log says more".to_owned(),
        };
        tracing::error!(mgs = name(&config), why, again_in = ?pause, "an MGS has ended; the others go on");
        let again = format!("{why}; it is started again every {} s at most", PAUSE_MAX.as_secs());
        let _ = tell.send(News::Down(number, again)).await; // the process may be stopping
        tokio::select! {
            () = told(&mut stopped) => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

/// Waits until the process is to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await; // a sender that is gone says the same
}

/// A thread with a runtime that serves one MGS. The receiver ends without a word when the thread panics.
fn start(
    config: Config,
    ready: oneshot::Sender<Running>,
    stop: oneshot::Receiver<()>,
) -> oneshot::Receiver<Result<(), DaemonError>> {
    let (end, ended) = oneshot::channel();
    let named = thread::Builder::new().name(format!("mgs {}", name(&config)));
    let spawned = named.spawn(move || {
        let result = run(config, ready, stop);
        let _ = end.send(result); // nobody may be waiting
    });
    if let Err(error) = spawned {
        // Dropped with the thread: the receiver would not say why.
        tracing::error!(%error, "no thread");
    }
    ended
}

fn run(
    config: Config,
    ready: oneshot::Sender<Running>,
    stop: oneshot::Receiver<()>,
) -> Result<(), DaemonError> {
    // Of the highest level, so that no filter of lines takes the name away.
    let span = tracing::error_span!("mgs", name = %name(&config));
    let of_threads = span.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(move || {
            SPAN.set(Some(of_threads.clone().entered()));
        })
        .on_thread_stop(|| drop(SPAN.take()))
        .build()
        .map_err(|error| DaemonError::Thread(format!("no runtime: {error}")))?;
    let _entered = span.entered();
    let result = runtime.block_on(daemon::serve(
        config,
        move |running| {
            let _ = ready.send(running.clone()); // nobody may be waiting
        },
        async {
            let _ = stop.await; // dropped counts as said
        },
    ));
    runtime.shutdown_timeout(REMAINS);
    result
}

fn name(config: &Config) -> &str {
    config.name.as_deref().unwrap_or("MGS")
}

/// Prints the banner of [`banner::several`].
pub fn greet(site: &Site, running: &[Running]) {
    let shown: Vec<(&Config, &Running)> = site.mgs.iter().zip(running).collect();
    let text = banner::several(&shown, &site.api);
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush()); // nobody may be looking
}
