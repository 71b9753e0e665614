//! A TCP proxy that can hold back what clients send.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Pass,
    /// Bytes of clients are kept.
    Hold,
    /// What was held goes on; later bytes are dropped.
    Late,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
    held: watch::Sender<usize>,
    returned: watch::Sender<usize>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            mode: watch::Sender::new(Mode::Pass),
            held: watch::Sender::new(0),
            returned: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = server.into_split();
                tokio::spawn(Arc::clone(&accepting).forward(client_read, server_write));
                tokio::spawn(Arc::clone(&accepting).backward(server_read, client_write));
            }
        });
        proxy
    }

    async fn forward(
        self: Arc<Self>,
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
    ) {
        let mut mode = self.mode.subscribe();
        let (mut bytes, mut buffer, mut open) = (Vec::new(), vec![0; 65536], true);
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer), if open => {
                    // the other side does not learn that the client is gone
                    open = matches!(read, Ok(1..));
                    read.unwrap_or(0)
                }
                changed = mode.changed() => match changed {
                    Ok(()) => 0,
                    Err(_) => return,
                },
            };
            // asked only now: bytes that were sent behind `hold` are held
            match *mode.borrow_and_update() {
                Mode::Hold => {
                    bytes.extend_from_slice(&buffer[..read]);
                    self.held.send_replace(bytes.len());
                    continue;
                }
                Mode::Pass => bytes.extend_from_slice(&buffer[..read]),
                Mode::Late => {}
            }
            if to.write_all(&std::mem::take(&mut bytes)).await.is_err() {
                return;
            }
        }
    }

    async fn backward(
        self: Arc<Self>,
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
    ) {
        let mut buffer = vec![0; 65536];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            self.returned.send_modify(|bytes| *bytes += n);
            let _ = to.write_all(&buffer[..n]).await;
        }
    }

    pub(crate) fn hold(&self) {
        self.mode.send_replace(Mode::Hold);
    }

    /// Waits until so many bytes of one connection are held.
    pub(crate) async fn holds(&self, bytes: usize) {
        self.held.subscribe().wait_for(|held| *held >= bytes).await.unwrap();
    }

    /// Sends on what is held, and waits for an answer of so many bytes.
    pub(crate) async fn release(&self, answer: usize) {
        let before = *self.returned.borrow();
        self.mode.send_replace(Mode::Late);
        self.returned.subscribe().wait_for(|bytes| *bytes >= before + answer).await.unwrap();
    }
}
