//! An LNet router, as far as the MGS can tell: its messages carry the NID of the node behind it, and what is for that node
//! is brought there.
//!
//! Nodes behind it believe that it is the MGS, since simulated nodes know no routes.
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, LNET_PID, Step};
use wire::{Nid, Order};

const PORT: u16 = 988;

type Queue = mpsc::UnboundedSender<Bytes>;
/// To each neighbour, over its newest connection.
type Neighbours = Arc<Mutex<HashMap<Nid, Queue>>>;

/// Two addresses, and the MGS that it leads to.
#[derive(Clone)]
pub(crate) struct Router {
    pub(crate) mgs: Nid,
    /// On the network of the MGS.
    pub(crate) own: Nid,
    /// On the network of the nodes.
    pub(crate) inside: Ipv4Addr,
    neighbours: Neighbours,
}

/// What a connection speaks.
#[derive(Clone, Copy)]
struct Speech {
    version: u32,
    order: Order,
}

impl Router {
    pub(crate) fn new(mgs: Nid, own: Nid, inside: Ipv4Addr) -> Self {
        Self { mgs, own, inside, neighbours: Neighbours::default() }
    }

    /// Listens on both sides, and goes on in the background.
    pub(crate) async fn start(self) {
        for address in [IpAddr::V4(self.inside), self.own.ip().unwrap()] {
            let listener = TcpListener::bind((address, PORT)).await.unwrap();
            let router = self.clone();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let router = router.clone();
                    tokio::spawn(async move { router.called(stream).await });
                }
            });
        }
    }

    /// The name that a neighbour knows it by.
    fn known_as(&self, neighbour: Nid) -> Nid {
        if neighbour == self.mgs { self.own } else { self.mgs }
    }

    async fn called(self, stream: TcpStream) -> io::Result<()> {
        let (mut reader, mut writer) = stream.into_split();
        let mut buffer = BytesMut::new();
        read(&mut reader, &mut buffer, ConnReq::parse).await?;
        let (theirs, order) = read(&mut reader, &mut buffer, Hello::parse).await?;
        let own =
            hello(self.known_as(theirs.src_nid), theirs.src_nid, theirs.version, theirs.ctype.inverted());
        writer.write_all(&own.to_bytes(order)).await?;
        let queue = self.write(theirs.src_nid, writer);
        self.forward(reader, buffer, Speech { version: theirs.version, order }, queue).await
    }

    /// Boxed, since forwarding for whom it calls may call somebody in its turn.
    fn call(&self, neighbour: Nid) -> Pin<Box<dyn Future<Output = io::Result<Queue>> + Send + '_>> {
        Box::pin(async move {
            let target = SocketAddr::new(neighbour.ip().unwrap(), PORT);
            let (mut reader, mut writer) = dial(target).await?.into_split();
            let mut buffer = BytesMut::new();
            writer.write_all(&ConnReq { version: 1, nid: neighbour }.to_bytes(Order::Little)).await?;
            let own = hello(self.known_as(neighbour), neighbour, 3, ConnType::Control);
            writer.write_all(&own.to_bytes(Order::Little)).await?;
            let (theirs, order) = read(&mut reader, &mut buffer, Hello::parse).await?;
            let queue = self.write(neighbour, writer);
            let (router, speech) = (self.clone(), Speech { version: theirs.version, order });
            let back = queue.clone();
            tokio::spawn(async move { router.forward(reader, buffer, speech, back).await });
            Ok(queue)
        })
    }

    fn write(&self, neighbour: Nid, mut writer: OwnedWriteHalf) -> Queue {
        let (queue, mut frames) = mpsc::unbounded_channel::<Bytes>();
        tokio::spawn(async move {
            while let Some(bytes) = frames.recv().await {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        self.neighbours.lock().unwrap().insert(neighbour, queue.clone());
        queue
    }

    /// Brings each message to whom it is for.
    async fn forward(
        &self,
        mut reader: OwnedReadHalf,
        mut buffer: BytesMut,
        speech: Speech,
        back: Queue,
    ) -> io::Result<()> {
        loop {
            let parse = |bytes: &[u8]| Frame::parse(&BytesMut::from(bytes), speech.version, speech.order);
            let Frame::Lnet(mut head, header, payload) = read(&mut reader, &mut buffer, parse).await? else {
                continue;
            };
            let [request, _] = std::mem::take(&mut head.zc_cookies);
            if request != 0 {
                let kind = wire::socklnd::MsgKind::Noop;
                let noop = Frame::Noop(wire::socklnd::MsgHeader { kind, csum: 0, zc_cookies: [0, request] });
                let _ = back.send(noop.to_bytes(speech.version, speech.order).into());
            }
            let open = self.neighbours.lock().unwrap().get(&header.dest).filter(|q| !q.is_closed()).cloned();
            let queue = match open {
                Some(queue) => queue,
                None => match self.call(header.dest).await {
                    Ok(queue) => queue,
                    Err(_) => continue, // LNet drops, Lustre repeats
                },
            };
            let frame = Frame::Lnet(head, header, payload);
            let _ = queue.send(frame.to_bytes(3, Order::Little).into());
        }
    }
}

fn hello(src_nid: Nid, dst_nid: Nid, version: u32, ctype: ConnType) -> Hello {
    Hello {
        version,
        src_nid,
        dst_nid,
        src_pid: LNET_PID,
        dst_pid: 0,
        src_incarnation: 7,
        dst_incarnation: 0,
        ctype,
        ips: Vec::new(),
    }
}

/// From a reserved port, as an MGS demands.
async fn dial(target: SocketAddr) -> io::Result<TcpStream> {
    for port in (512..1024).rev() {
        let socket = TcpSocket::new_v4()?;
        if socket.bind((Ipv4Addr::UNSPECIFIED, port).into()).is_ok() {
            return socket.connect(target).await;
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

async fn read<T>(
    reader: &mut OwnedReadHalf,
    buffer: &mut BytesMut,
    parse: impl Fn(&[u8]) -> wire::Result<Step<T>>,
) -> io::Result<T> {
    loop {
        match parse(buffer).map_err(io::Error::other)? {
            Step::Done(found, taken) => {
                let _ = buffer.split_to(taken);
                return Ok(found);
            }
            Step::Need(_) => {
                if reader.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}
