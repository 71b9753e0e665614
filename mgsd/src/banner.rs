//! What a person sees who starts mgsd by hand: the lines to type on the other machines, and what to try next.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use store_backends::Place;
use wire::Nid;

/// Port of real LNet nodes.
pub const LNET_PORT: u16 = 988;

/// The text, ending in a line break. `listening`: empty when proxies listen instead of us.
pub fn text(nids: &[Nid], listening: &[SocketAddr], api: &Path, store: &Place, uuid: &str) -> String {
    let mut out = String::new();
    let list = |sep: &str| nids.iter().map(ToString::to_string).collect::<Vec<_>>().join(sep);
    let real = listening.iter().all(|a| a.port() == LNET_PORT);
    let _ = writeln!(out, "mgsd {} serves MGS {uuid}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(out, "  NID        {}", list(", "));
    for address in listening {
        let note =
            if real { "" } else { "   for simulated nodes only: NIDs carry no port, real nodes dial 988" };
        let _ = writeln!(out, "  LNet       {address}{note}");
    }
    let _ = match store {
        Place::Sqlite(dir) => writeln!(out, "  store      {}", dir.display()),
        place => writeln!(out, "  store      {place}"),
    };
    let _ = writeln!(out, "  API        unix:{}", api.display());
    if real {
        // A:B names separate nodes: Lustre then tries the next when one is down; A,B would not (protocol/README).
        let mgs = list(":");
        let _ = writeln!(out, "\nFormat and mount, on the servers:");
        let _ = writeln!(out, "  mkfs.lustre --mdt --index=0 --fsname=scratch --mgsnode={mgs} /dev/MDTDEV");
        let _ = writeln!(out, "  mkfs.lustre --ost --index=0 --fsname=scratch --mgsnode={mgs} /dev/OSTDEV");
        let _ =
            writeln!(out, "  mount -t lustre /dev/MDTDEV /mnt/mdt0; mount -t lustre /dev/OSTDEV /mnt/ost0");
        let _ = writeln!(out, "and on the clients:");
        let _ = writeln!(out, "  mount -t lustre {mgs}:/scratch /mnt/scratch");
    } else if let (Some(nid), Some(address)) = (nids.first(), listening.first()) {
        let _ = writeln!(out, "\nLet a simulated file system join:");
        let _ = writeln!(out, "  lustre-peer demo --mgsnid {nid} --mgs-addr {address}");
    }
    let _ = writeln!(out, "\nNext:");
    let _ = writeln!(out, "  export MGSD_API=unix:{}", api.display());
    let _ = writeln!(
        out,
        "  mgsctl status; mgsctl target list; mgsctl log list; mgsctl log print scratch-client"
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_high_port_prints_no_lines_for_real_nodes() {
        let nids = ["10.0.0.1@tcp".parse().unwrap(), "10.0.0.2@tcp".parse().unwrap()];
        let show = |port| {
            text(
                &nids,
                &[SocketAddr::from(([10, 0, 0, 1], port))],
                Path::new("/a"),
                &Place::Sqlite("/d".into()),
                "uuid",
            )
        };
        let real = show(988);
        assert!(real.contains("--mgsnode=10.0.0.1@tcp:10.0.0.2@tcp"));
        assert!(real.contains("mount -t lustre 10.0.0.1@tcp:10.0.0.2@tcp:/scratch"));
        let simulated = show(9988);
        assert!(simulated.contains("simulated nodes only"));
        assert!(!simulated.contains("mkfs.lustre") && !simulated.contains("mount -t lustre"));
    }
}
