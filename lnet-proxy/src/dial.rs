//! Connecting to a peer from a reserved port: a default kernel node refuses every other one.
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};

/// The kernel's range, walked downward.
const FIRST_PORT: u16 = 1023;
const LAST_PORT: u16 = 512;

/// Connects. `source` is the address of our NID; `None`: let the system choose.
pub(crate) async fn connect(target: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let source = source.unwrap_or(match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    });
    for port in (LAST_PORT..=FIRST_PORT).rev() {
        match attempt(target, SocketAddr::new(source, port)).await {
            // Taken by a listener, or this pair of ports by an earlier connection.
            Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) => {}
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(
                    %target,
                    "no permission for ports below 1024 (CAP_NET_BIND_SERVICE): dialling from another port, which \
                     only simulated nodes accept"
                );
                return attempt(target, SocketAddr::new(source, 0)).await;
            }
            other => return other,
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "all ports 512..1023 are in use"))
}

async fn attempt(target: SocketAddr, source: SocketAddr) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(source)?;
    socket.connect(target).await
}
