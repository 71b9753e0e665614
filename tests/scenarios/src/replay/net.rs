//! TCP connections to mgsd, and what comes over them.
use crate::timeline::VERSION;
use bytes::BytesMut;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use wire::Order;
use wire::socklnd::{Frame, Hello, Step};

/// Something that mgsd said, or did.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Welcome(Hello),
    Frame(Frame),
    /// It closed the connection, or spoke nonsense.
    End(String),
}

/// Who said it.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) conn: usize,
    pub(super) said: Said,
}

/// A connection of a peer. Closed when dropped.
#[derive(Debug)]
pub(super) struct Conn {
    write: OwnedWriteHalf,
    reader: JoinHandle<()>,
}

impl Conn {
    pub(super) async fn open(
        to: SocketAddr,
        conn: usize,
        inbox: UnboundedSender<Arrived>,
    ) -> std::io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let reader = tokio::spawn(async move {
            let end = listen(read, conn, &inbox).await;
            // Nobody listens any more when the replay has ended.
            drop(inbox.send(Arrived { conn, said: Said::End(end) }));
        });
        Ok(Self { write, reader })
    }
    pub(super) async fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write.write_all(bytes).await
    }
}
impl Drop for Conn {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Passes on what comes, until it ends.
async fn listen(mut read: OwnedReadHalf, conn: usize, inbox: &UnboundedSender<Arrived>) -> String {
    let mut bytes = BytesMut::new();
    let mut welcomed = false;
    loop {
        loop {
            let step = if welcomed {
                Frame::split(&mut bytes, VERSION, Order::Little).map(|s| match s {
                    Step::Done(frame, _) => Some(Said::Frame(frame)),
                    Step::Need(_) => None,
                })
            } else {
                Hello::parse(&bytes).map(|s| match s {
                    Step::Done((hello, _), used) => {
                        drop(bytes.split_to(used));
                        Some(Said::Welcome(hello))
                    }
                    Step::Need(_) => None,
                })
            };
            match step {
                Ok(Some(said)) => {
                    welcomed = true;
                    if inbox.send(Arrived { conn, said }).is_err() {
                        return "the replay has ended".to_owned();
                    }
                }
                Ok(None) => break,
                Err(error) => return format!("it sent what cannot be read: {error}"),
            }
        }
        match read.read_buf(&mut bytes).await {
            Ok(0) => return "it closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}
