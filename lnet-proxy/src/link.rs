//! The link between proxy and daemon: relay frames in memory or over a stream, the same for both ends.
use bytes::{Buf, BytesMut};
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use wire::relay::Frame;

/// Frames that wait in a link, each way.
const DEPTH: usize = 64;
const READ_SIZE: usize = 64 << 10;
/// How long the other end may take to read the last frames once ours is dropped.
const LINGER: Duration = Duration::from_secs(1);
/// Of the daemon's socket.
const MODE: u32 = 0o660;

/// One end of a link. It is lost when `rx` ends or `tx` refuses; dropping it ends the other end.
#[derive(Debug)]
pub struct FrameLink {
    /// To the other end.
    pub tx: mpsc::Sender<Frame>,
    /// From the other end.
    pub rx: mpsc::Receiver<Frame>,
}

/// Both ends of a link in memory.
pub fn pair() -> (FrameLink, FrameLink) {
    let (a_tx, b_rx) = mpsc::channel(DEPTH);
    let (b_tx, a_rx) = mpsc::channel(DEPTH);
    (FrameLink { tx: a_tx, rx: a_rx }, FrameLink { tx: b_tx, rx: b_rx })
}

/// An end of a link over a byte stream. The stream is closed when the end is dropped, when the other side closes, or
/// when it sends bytes that are no frame (which is logged).
pub fn over_stream<S>(stream: S) -> FrameLink
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (near, far) = pair();
    let (reading, writing) = tokio::io::split(stream);
    tokio::spawn(async move {
        let (reads, writes) = (read_frames(reading, far.tx), write_frames(writing, far.rx));
        tokio::pin!(reads, writes);
        tokio::select! {
            () = &mut reads => {
                let _ = tokio::time::timeout(LINGER, writes).await; // the other end may never read again
            }
            () = &mut writes => reads.await, // what the other end said last
        }
    });
    near
}

/// The proxy's end: connects to the daemon's Unix socket.
///
/// # Errors
/// The daemon is not there, or does not let us in.
pub async fn connect(path: &Path) -> io::Result<FrameLink> {
    Ok(over_stream(UnixStream::connect(path).await?))
}

/// The daemon's end: a Unix socket to which proxies connect.
#[derive(Debug)]
pub struct RelayListener {
    listener: UnixListener,
    path: PathBuf,
}

impl RelayListener {
    /// Listens, for processes of the owner and group of the socket (mode 0660). A socket file left by a dead daemon is
    /// replaced; one that answers is not.
    ///
    /// # Errors
    /// Another daemon listens there, or the folder does not allow it.
    pub async fn bind(path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Ok(listener) => listener,
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
                let refused = UnixStream::connect(path).await.err();
                if refused.map(|e| e.kind()) != Some(io::ErrorKind::ConnectionRefused) {
                    return Err(e);
                }
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            Err(e) => return Err(e),
        };
        std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
        Ok(Self { listener, path: path.to_path_buf() })
    }

    /// The next proxy, and the user id of its process.
    ///
    /// # Errors
    /// The system cannot accept (descriptors, memory).
    pub async fn accept(&self) -> io::Result<(FrameLink, u32)> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((over_stream(stream), uid))
    }
}

impl Drop for RelayListener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // the next daemon replaces it otherwise
    }
}

async fn read_frames(mut stream: impl AsyncRead + Unpin, frames: mpsc::Sender<Frame>) {
    let mut buffer = BytesMut::new();
    loop {
        match Frame::parse(&buffer) {
            Ok(Some((frame, taken))) => {
                buffer.advance(taken);
                if frames.send(frame).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "relay link: not a frame, link closed");
                return;
            }
        }
        buffer.reserve(READ_SIZE);
        tokio::select! {
            read = stream.read_buf(&mut buffer) => match read {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "relay link lost");
                    return;
                }
            },
            () = frames.closed() => return,
        }
    }
}

async fn write_frames(mut stream: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Frame>) {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = stream.write_all(&frame.to_bytes()).await {
            tracing::warn!(%error, "relay link lost");
            return;
        }
    }
    let _ = stream.shutdown().await; // the other end may have closed already
}
