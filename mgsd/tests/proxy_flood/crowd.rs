//! A bad neighbourhood: many connections that never say a word, and more every second that say the wrong one, or the right
//! one and leave.
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{MissedTickBehavior, interval};
use wire::lnet::{Handle, Header, Message};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, LNET_PID, MsgHeader, MsgKind};
use wire::{Nid, Order};

/// Ticks in a second.
const TICKS: u64 = 100;

/// Who is at whose door.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) mgs: (Nid, SocketAddr),
    /// Connections that say nothing; one that is closed is replaced, half as many a second as `connects`.
    pub(crate) silent: usize,
    /// Other connects in a second.
    pub(crate) connects: u64,
}

/// What it has done.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connects: AtomicU64,
    /// Did not become a TCP connection.
    pub(crate) failed: AtomicU64,
    /// Silent ones held now.
    pub(crate) held: AtomicUsize,
    /// Silent ones that the MGS closed.
    pub(crate) closed: AtomicU64,
}

/// A crowd on a thread of its own, until it is sent away.
pub(crate) struct Crowd {
    pub(crate) tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Crowd {
    pub(crate) fn gather(size: Size) -> Self {
        let (tally, stop) = (Arc::<Tally>::default(), Arc::<AtomicBool>::default());
        let (counts, stopped) = (Arc::clone(&tally), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(size, counts, stopped));
        });
        Self { tally, stop, thread }
    }

    /// All its connections are gone when this returns.
    pub(crate) fn disperse(self) -> Arc<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.tally
    }
}

async fn run(size: Size, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(TICKS).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent: Vec<TcpStream> = Vec::new();
    let mut visits = tokio::task::JoinSet::new();
    let mut number = 0_u64;
    let mut gathered = false;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        silent.retain(|stream| {
            let open = matches!(stream.try_read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
            tally.closed.fetch_add(u64::from(!open), Ordering::Relaxed);
            open
        });
        // All at once in the beginning; then half as many a second as others come.
        let most = if gathered { size.connects / TICKS / 2 } else { (size.silent / 50) as u64 };
        for _ in 0..((size.silent - silent.len()) as u64).min(most) {
            number += 1;
            match connect(size.mgs.1, number).await {
                Ok(stream) => silent.push(stream),
                Err(_) => drop(tally.failed.fetch_add(1, Ordering::Relaxed)),
            }
            tally.connects.fetch_add(1, Ordering::Relaxed);
        }
        gathered |= number >= size.silent as u64;
        tally.held.store(silent.len(), Ordering::Relaxed);
        for _ in 0..size.connects / TICKS {
            number += 1;
            let (at, tally) = (number, Arc::clone(&tally));
            visits.spawn(async move {
                tally.connects.fetch_add(1, Ordering::Relaxed);
                if visit(size.mgs, at).await.is_err_and(|e| e.kind() != ErrorKind::ConnectionReset) {
                    tally.failed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while visits.try_join_next().is_some() {}
    }
    visits.shutdown().await;
}

/// From one of many addresses, so that ports do not run out.
async fn connect(to: SocketAddr, number: u64) -> std::io::Result<TcpStream> {
    let [.., high, low] = number.to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0)))?;
    socket.connect(to).await
}

async fn visit((mgs, to): (Nid, SocketAddr), number: u64) -> std::io::Result<()> {
    let mut stream = connect(to, number).await?;
    let request = ConnReq { version: 1, nid: mgs }.to_bytes(Order::Little);
    match number % 4 {
        0 => {}
        1 => stream.write_all(&request).await?,
        2 => {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: mgs\r\n\r\n").await?;
            while stream.read(&mut [0; 64]).await? > 0 {}
        }
        _ => {
            // A few nodes, so that mgsd's record of what they said is full soon.
            let own = Nid::tcp(Ipv4Addr::new(10, 9, 0, (number / 4 % 4) as u8).into(), 0);
            stream.write_all(&request).await?;
            stream.write_all(&hello(own, mgs, number).to_bytes(Order::Little)).await?;
            if stream.read(&mut [0; 256]).await? > 0 {
                stream.write_all(&nonsense(own, mgs)).await?;
            }
        }
    }
    Ok(())
}

fn hello(src_nid: Nid, dst_nid: Nid, src_incarnation: u64) -> Hello {
    let (version, src_pid, dst_pid, dst_incarnation) = (3, LNET_PID, 0, 0);
    let (ctype, ips) = (ConnType::Control, Vec::new());
    Hello { version, src_nid, dst_nid, src_pid, dst_pid, src_incarnation, dst_incarnation, ctype, ips }
}

/// A PUT on the request portal that is no request.
fn nonsense(src: Nid, dest: Nid) -> Vec<u8> {
    let payload = bytes::Bytes::from_static(&[7; 300]);
    let put = Message::Put { ack: Handle::NONE, match_bits: 1, hdr_data: 0, portal: 26, offset: 0 };
    let header = Header {
        dest,
        src,
        dest_pid: LNET_PID,
        src_pid: LNET_PID,
        payload_len: payload.len().try_into().unwrap(),
        msg: put,
    };
    let head = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
    Frame::Lnet(head, header, payload).to_bytes(3, Order::Little)
}
