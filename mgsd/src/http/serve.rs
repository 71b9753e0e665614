//! The Unix socket that the API is served on.

use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::answer::Caller;

/// Owner and group may talk to the daemon, others may not.
const SOCKET_MODE: u32 = 0o660;

/// Connections at the same time; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 64;

/// How long a peer may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may last, so that a peer that does not read its answer gives its place back.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// How long requests under way get to finish at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after a failed accept (no file descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the API socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon listens there.
    #[error("API socket {}: another daemon answers on it; stop that one, or choose another path with --api", path.display())]
    Busy {
        /// The path.
        path: PathBuf,
    },
    /// Something that is not a socket has the name.
    #[error("API socket {}: the path exists and is not a socket; remove it, or choose another path with --api", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("API socket {}: {doing}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound API socket. Its file is removed when it is dropped, unless another daemon has taken the name meanwhile.
#[derive(Debug)]
pub struct UnixApi {
    listener: UnixListener,
    file: SocketFile,
}

/// Binds and serves until `shutdown` is done; then lets requests under way finish.
///
/// # Errors
/// [`BindError`]; once bound, serving does not fail.
pub async fn serve_unix(
    path: &Path,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> Result<(), BindError> {
    UnixApi::bind(path).await?.serve(router, shutdown).await;
    Ok(())
}

impl UnixApi {
    /// Binds a socket with mode 0660. A socket that a dead daemon left is replaced; one that somebody answers on is not.
    ///
    /// The socket gets its name when it is ready: it is made under a temporary name in the same directory and renamed,
    /// so nobody meets it with another mode, and there is no moment without the name.
    ///
    /// # Errors
    /// [`BindError`]
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        let io = |doing| move |source| BindError::Io { path: path.to_owned(), doing, source };
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io("look at it")(error)),
            Ok(meta) if !meta.file_type().is_socket() => {
                return Err(BindError::NotASocket { path: path.to_owned() });
            }
            Ok(_) => match UnixStream::connect(path).await {
                Ok(_) => return Err(BindError::Busy { path: path.to_owned() }),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    tracing::info!(path = %path.display(), "API socket of a dead daemon is replaced");
                }
                // Gone since the look: as good as never there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io("see whether a daemon answers on it")(error)),
            },
        }

        let new = path.with_file_name(format!(".{}", std::process::id()));
        // Only a dead process with our number can have left it.
        let _ = std::fs::remove_file(&new);
        let listener = UnixListener::bind(&new).map_err(io("bind"))?;
        let named = std::fs::set_permissions(&new, std::fs::Permissions::from_mode(SOCKET_MODE))
            .and_then(|()| std::fs::symlink_metadata(&new))
            .and_then(|meta| std::fs::rename(&new, path).map(|()| meta));
        match named {
            Ok(meta) => {
                let file = SocketFile { path: path.to_owned(), identity: (meta.dev(), meta.ino()) };
                Ok(UnixApi { listener, file })
            }
            Err(error) => {
                let _ = std::fs::remove_file(&new);
                Err(io("give it its mode and name")(error))
            }
        }
    }

    /// Serves until `shutdown` is done; then removes the socket and lets requests under way finish, for a few seconds.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) {
        let UnixApi { listener, file } = self;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = async {
                // Never closed, so this always gives a place.
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "API handler failed");
                    }
                }
                (place, accepted) = accepted => match accepted {
                    Ok((stream, _)) => {
                        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                        let router = router.clone().layer(Extension(Caller(uid)));
                        connections.spawn(async move {
                            one_request(stream, router).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "API accept failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        drop(file);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            tracing::warn!("API requests cut off at shutdown");
        }
    }
}

/// One request per connection: a local socket costs nothing to dial, and no idle connection holds a place.
async fn one_request(stream: UnixStream, router: Router) {
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "API connection ended"),
        Err(_) => tracing::debug!("API connection took too long"),
    }
}

/// The name of a socket in the file system.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: the name may belong to another daemon by now.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours =
            std::fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "API socket not removed");
        }
    }
}
