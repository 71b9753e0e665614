//! Listening sockets and what is set on every connection.
use crate::config::Config;
use crate::drive::Report;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Connections that the system keeps while we are busy.
const BACKLOG: i32 = 1024;
/// Pause after `accept` failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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

/// Binds all addresses of a configuration, in order.
pub(crate) fn bind_all(config: &Config) -> Result<Vec<TcpListener>, BindError> {
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
    let mut listeners = Vec::new();
    for address in addresses {
        if address.port() == 0 || !seen.contains(&address) {
            seen.push(address);
            listeners.push(bind(address).map_err(|error| match error.kind() {
                io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
                io::ErrorKind::PermissionDenied => BindError::Permission { address },
                io::ErrorKind::AddrInUse => BindError::InUse { address },
                _ => BindError::Other { address, error },
            })?);
        }
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the driver ends.
pub(crate) async fn accept_loop(listener: TcpListener, reports: mpsc::Sender<Report>) {
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
pub(crate) fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(5))
        .with_retries(5);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
