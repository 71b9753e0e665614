//! Listening sockets and what is set on every connection.
use crate::config::Config;
use crate::drive::Report;
use lnet_core::Input;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Connections that the system keeps while we are busy.
const BACKLOG: i32 = 1024;
/// Pause after `accept` failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Pause after an address could not be bound.
const BIND_PAUSE: Duration = Duration::from_millis(500);
/// How often an address that may move is looked at.
const PROBE: Duration = Duration::from_secs(1);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A NID whose network has no IP address.
    #[error("{nid} has no IP address to listen on: only tcp NIDs are served, or name an address with --bind")]
    NoAddress {
        /// The NID.
        nid: wire::Nid,
    },
    /// The address belongs to another host.
    #[error(
        "{address}: not an address of this host: use a NID of this host (see `ip -brief address`), or --bind"
    )]
    NotHere {
        /// The address.
        address: SocketAddr,
    },
    /// A port below 1024 without the capability.
    #[error(
        "{address}: no permission for this port: run as root or with CAP_NET_BIND_SERVICE, or use --port"
    )]
    Permission {
        /// The address.
        address: SocketAddr,
    },
    /// Somebody else listens.
    #[error(
        "{address}: in use by another process: `ss -ltnp` names it; a loaded kernel LNet (lnetctl) listens too"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// Any other reason.
    #[error("{address}: {error}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
}

/// An address of ours, and the socket if the address is there.
#[derive(Debug)]
pub(crate) struct Place {
    /// With the port that the system chose.
    pub(crate) address: SocketAddr,
    listener: Option<TcpListener>,
}

/// Binds all addresses of a configuration, in order.
pub(crate) fn bind_all(config: &Config) -> Result<Vec<Place>, BindError> {
    let addresses = if config.bind.is_empty() {
        let own = config.core.nids.iter().map(|nid| {
            let ip = nid.ip().ok_or(BindError::NoAddress { nid: *nid })?;
            Ok(SocketAddr::new(ip, config.port))
        });
        own.collect::<Result<Vec<_>, BindError>>()?
    } else {
        config.bind.clone()
    };
    // Two NIDs of different networks may share an address.
    let mut seen: Vec<SocketAddr> = Vec::new();
    let mut places = Vec::new();
    for address in addresses {
        if address.port() == 0 || !seen.contains(&address) {
            seen.push(address);
            let bound = bind(address).and_then(|l| Ok((l.local_addr()?, Some(l))));
            let (address, listener) = match bound {
                Err(error) if config.wait_address && error.kind() == io::ErrorKind::AddrNotAvailable => {
                    tracing::info!(%address, "not here yet: waiting for it");
                    (address, None)
                }
                other => other.map_err(|error| BindError::new(address, error))?,
            };
            places.push(Place { address, listener });
        }
    }
    Ok(places)
}

impl BindError {
    fn new(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address },
            io::ErrorKind::PermissionDenied => Self::Permission { address },
            io::ErrorKind::AddrInUse => Self::InUse { address },
            _ => Self::Other { address, error },
        }
    }
}

/// Listens at one place while it is wanted and the address is there, until the driver ends.
pub(crate) async fn keep_listening(
    place: Place,
    moves: bool,
    mut wanted: watch::Receiver<bool>,
    reports: mpsc::Sender<Report>,
) {
    let Place { address, mut listener } = place;
    let mut complained = listener.is_none();
    loop {
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            return;
        }
        let open = match listener.take().map_or_else(|| bind(address), Ok) {
            Ok(open) => open,
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!(error = %BindError::new(address, error), "cannot listen, trying again");
                }
                tokio::time::sleep(BIND_PAUSE).await;
                continue;
            }
        };
        tracing::info!(%address, "listening");
        complained = false;
        tokio::select! {
            biased;
            ended = unwanted(&mut wanted) => {
                if ended {
                    return;
                }
                tracing::warn!(%address, "no daemon is ready: not listening, so that nodes try their next MGS NID");
            }
            () = address_gone(address.ip()), if moves => {
                tracing::warn!(%address, "the address left this host");
                complained = true;
                if reports.send(Report::Input(Input::AddressGone { ip: address.ip() })).await.is_err() {
                    return;
                }
            }
            () = accept_loop(open, &reports) => return,
        }
    }
}

/// Whether that is because the driver ended.
async fn unwanted(wanted: &mut watch::Receiver<bool>) -> bool {
    wanted.wait_for(|wanted| !*wanted).await.is_err()
}

/// Returns once the address cannot be bound any more: it belongs to another host.
async fn address_gone(ip: IpAddr) {
    loop {
        tokio::time::sleep(PROBE).await;
        match std::net::UdpSocket::bind((ip, 0)) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return,
            _ => {}
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // What it accepts inherits them.
    set_options(SockRef::from(&socket))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the driver ends.
async fn accept_loop(listener: TcpListener, reports: &mpsc::Sender<Report>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if reports.send(Report::Accepted(stream, remote)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The options that kernel peers use: no Nagle, keepalive 30 s / 5 s / 5 probes.
pub(crate) fn set_options(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(5))
        .with_retries(5);
    socket.set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn what_is_accepted_has_the_options() {
        let listener = bind((std::net::Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let _peer = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        let times = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        assert_eq!(times, (Duration::from_secs(30), Duration::from_secs(5)));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
    }

    #[tokio::test]
    async fn it_ends_with_the_driver() {
        let listener = bind((std::net::Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let place = Place { address: listener.local_addr().unwrap(), listener: Some(listener) };
        let (driver, wanted) = watch::channel(true);
        let (reports, _accepted) = mpsc::channel(1);
        drop(driver);
        keep_listening(place, false, wanted, reports).await;
    }
}
