//! Sockets of one node: dial, accept, read, write.
use super::HostConfig;
use crate::node::{ConnId, Input};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use wire::Nid;

const INBOX: usize = 64;
const READ: usize = 16 * 1024;
/// Ports that only a privileged process may bind, in the order in which kernels try them.
const RESERVED: std::ops::RangeInclusive<u16> = 512..=1023;

/// News from the connection tasks.
pub(super) enum FromNet {
    Connected(ConnId, TcpStream),
    Accepted(TcpStream),
    Bytes(ConnId, Bytes),
    Closed(ConnId),
}

struct Open {
    writer: Option<mpsc::UnboundedSender<Bytes>>,
    tasks: Vec<AbortHandle>,
}

pub(super) struct Net {
    config: HostConfig,
    inbox: mpsc::Sender<FromNet>,
    open: HashMap<ConnId, Open>,
    accepted: u64,
    listener: Option<AbortHandle>,
}

impl Net {
    pub(super) async fn start(config: HostConfig) -> io::Result<(Self, mpsc::Receiver<FromNet>)> {
        let (inbox, from_net) = mpsc::channel(INBOX);
        let listener = match config.listen {
            None => None,
            Some(addr) => {
                let listener = TcpListener::bind(addr).await?;
                let inbox = inbox.clone();
                let task = tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        if inbox.send(FromNet::Accepted(stream)).await.is_err() {
                            break;
                        }
                    }
                });
                Some(task.abort_handle())
            }
        };
        Ok((Self { config, inbox, open: HashMap::new(), accepted: 0, listener }, from_net))
    }

    /// News as input for the node; `None` when it concerns a connection that is closed already.
    pub(super) fn translate(&mut self, message: FromNet) -> Option<Input> {
        match message {
            FromNet::Connected(conn, stream) => {
                self.open.contains_key(&conn).then(|| self.serve(conn, stream))?;
                Some(Input::Connected(conn))
            }
            FromNet::Accepted(stream) => {
                let conn = ConnId::accepted(self.accepted);
                self.accepted += 1;
                self.open.insert(conn, Open { writer: None, tasks: Vec::new() });
                self.serve(conn, stream);
                Some(Input::Accepted(conn))
            }
            FromNet::Bytes(conn, bytes) => self.open.contains_key(&conn).then_some(Input::Bytes(conn, bytes)),
            FromNet::Closed(conn) => {
                let open = self.open.remove(&conn)?;
                open.tasks.iter().for_each(AbortHandle::abort);
                Some(Input::Closed(conn))
            }
        }
    }

    pub(super) fn dial(&mut self, conn: ConnId, to: Nid) {
        let target = self.config.addresses.get(&to).copied();
        let target = target.or_else(|| to.ip().map(|ip| SocketAddr::new(ip, self.config.port)));
        let (bind, reserved, inbox) = (self.config.bind, self.config.reserved_ports, self.inbox.clone());
        let task = tokio::spawn(async move {
            let stream = match target {
                Some(target) => connect(target, bind, reserved).await,
                None => Err(io::Error::other("the NID is on no IP network")),
            };
            let message = stream.map_or(FromNet::Closed(conn), |stream| FromNet::Connected(conn, stream));
            let _gone = inbox.send(message).await;
        });
        self.open.insert(conn, Open { writer: None, tasks: vec![task.abort_handle()] });
    }

    fn serve(&mut self, conn: ConnId, stream: TcpStream) {
        let Some(open) = self.open.get_mut(&conn) else { return };
        let _latency_only = stream.set_nodelay(true);
        let (mut reader, mut writer) = stream.into_split();
        let (tx, mut rx) = mpsc::unbounded_channel::<Bytes>();
        open.writer = Some(tx);
        let inbox = self.inbox.clone();
        let read = tokio::spawn(async move {
            let mut buffer = BytesMut::with_capacity(READ);
            loop {
                buffer.reserve(READ);
                let message = match reader.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => FromNet::Bytes(conn, buffer.split().freeze()),
                };
                if inbox.send(message).await.is_err() {
                    return;
                }
            }
            let _gone = inbox.send(FromNet::Closed(conn)).await;
        });
        let write = tokio::spawn(async move {
            while let Some(bytes) = rx.recv().await {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _closed = writer.shutdown().await;
        });
        open.tasks = vec![read.abort_handle()];
        // The writer ends by itself when its channel closes, so that what was written still goes out.
        drop(write);
    }

    pub(super) fn write(&self, conn: ConnId, bytes: Bytes) {
        if let Some(writer) = self.open.get(&conn).and_then(|o| o.writer.as_ref()) {
            let _closing = writer.send(bytes);
        }
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        if let Some(open) = self.open.remove(&conn) {
            open.tasks.iter().for_each(AbortHandle::abort);
        }
    }

    /// Closes all sockets; the connections that were there.
    pub(super) fn cut(&mut self) -> Vec<ConnId> {
        let all: Vec<ConnId> = self.open.keys().copied().collect();
        all.iter().for_each(|conn| self.close(*conn));
        all
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.cut();
        self.listener.iter().for_each(AbortHandle::abort);
    }
}

async fn connect(target: SocketAddr, bind: Option<IpAddr>, reserved: bool) -> io::Result<TcpStream> {
    if bind.is_none() && !reserved {
        return TcpStream::connect(target).await;
    }
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let local = bind.unwrap_or(any);
    let ports: Vec<u16> = if reserved { RESERVED.rev().collect() } else { vec![0] };
    let mut last = io::Error::new(io::ErrorKind::AddrInUse, "no free port from 512 to 1023");
    for port in ports {
        let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        match socket.bind(SocketAddr::new(local, port)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
            Err(error) => return Err(error),
        }
        match socket.connect(target).await {
            Ok(stream) => return Ok(stream),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) =>
            {
                last = error;
            }
            Err(error) => return Err(error),
        }
    }
    Err(last)
}
