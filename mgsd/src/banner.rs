//! What a person sees who starts mgsd by hand: the lines to type on the other machines, and what to try next.

use crate::config::Config;
use crate::daemon::Running;
use std::fmt::Write as _;
use std::path::Path;
use store_backends::Place;

/// Port of real LNet nodes.
pub const LNET_PORT: u16 = 988;

/// The text of one MGS, ending in a line break.
pub fn text(config: &Config, running: &Running) -> String {
    let mut out = head(config, running);
    if is_real(running) {
        let mgs = mgsnode(config);
        let _ = writeln!(out, "\nFormat and mount, on the servers:");
        let _ = writeln!(out, "  mkfs.lustre --mdt --index=0 --fsname=scratch --mgsnode={mgs} /dev/MDTDEV");
        let _ = writeln!(out, "  mkfs.lustre --ost --index=0 --fsname=scratch --mgsnode={mgs} /dev/OSTDEV");
        let _ =
            writeln!(out, "  mount -t lustre /dev/MDTDEV /mnt/mdt0; mount -t lustre /dev/OSTDEV /mnt/ost0");
        let _ = writeln!(out, "and on the clients:");
        let _ = writeln!(out, "  mount -t lustre {mgs}:/scratch /mnt/scratch");
    } else if let (Some(nid), Some(address)) = (config.nids.first(), running.addresses.first()) {
        let _ = writeln!(out, "\nLet a simulated file system join:");
        let _ = writeln!(out, "  lustre-peer demo --mgsnid {nid} --mgs-addr {address}");
    }
    let _ = writeln!(out, "\nNext:");
    let _ = writeln!(out, "  export MGSD_API=unix:{}", config.api.display());
    let _ = writeln!(
        out,
        "  mgsctl status; mgsctl target list; mgsctl log list; mgsctl log print scratch-client"
    );
    out
}

/// The text of several, ending in a line break. `api`: the socket that lists them.
pub fn several(all: &[(&Config, &Running)], api: &Path) -> String {
    let mut out = String::new();
    for (config, running) in all {
        out.push_str(&head(config, running));
        if is_real(running) {
            let mgs = mgsnode(config);
            let _ = writeln!(out, "  servers    mkfs.lustre --mgsnode={mgs} …");
            let _ = writeln!(out, "  clients    mount -t lustre {mgs}:/FSNAME /mnt/FSNAME");
        } else if let (Some(nid), Some(address)) = (config.nids.first(), running.addresses.first()) {
            let _ = writeln!(out, "  simulated  lustre-peer demo --mgsnid {nid} --mgs-addr {address}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "Next:\n  export MGSD_API=unix:{}", api.display());
    for name in all.iter().filter_map(|(config, _)| config.name.as_deref()) {
        let _ = writeln!(out, "  mgsctl --mgs {name} status");
    }
    out
}

fn head(config: &Config, running: &Running) -> String {
    let mut out = String::new();
    let name = config.name.as_ref().map_or_else(String::new, |name| format!("{name} "));
    let _ = writeln!(out, "mgsd {} serves MGS {name}{}", env!("CARGO_PKG_VERSION"), running.uuid);
    let _ = writeln!(out, "  NID        {}", nids(config, ", "));
    let note = if is_real(running) {
        ""
    } else {
        "   for simulated nodes only: NIDs carry no port, real nodes dial 988"
    };
    for address in &running.addresses {
        let _ = writeln!(out, "  LNet       {address}{note}");
    }
    let _ = match &config.store {
        Place::Sqlite(dir) => writeln!(out, "  store      {}", dir.display()),
        place => writeln!(out, "  store      {place}"),
    };
    let _ = writeln!(out, "  API        unix:{}", config.api.display());
    out
}

/// Real nodes can reach it: on their port, or through proxies.
fn is_real(running: &Running) -> bool {
    running.addresses.iter().all(|a| a.port() == LNET_PORT)
}

fn nids(config: &Config, sep: &str) -> String {
    config.nids.iter().map(ToString::to_string).collect::<Vec<_>>().join(sep)
}

/// A:B names separate nodes: Lustre then tries the next when one is down; A,B would not (protocol/README).
fn mgsnode(config: &Config) -> String {
    nids(config, ":")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Arguments;
    use clap::Parser;

    fn config(name: Option<&str>) -> Config {
        let typed = ["mgsd", "--data", "/d", "--nid", "10.0.0.1@tcp,10.0.0.2@tcp"];
        let config = Config::new(&Arguments::try_parse_from(typed).unwrap()).unwrap();
        Config { name: name.map(str::to_owned), ..config }
    }

    fn running(port: u16) -> Running {
        Running { addresses: vec![([10, 0, 0, 1], port).into()], uuid: "uuid".to_owned() }
    }

    #[test]
    fn a_high_port_prints_no_lines_for_real_nodes() {
        let show = |port| text(&config(None), &running(port));
        let real = show(988);
        assert!(real.contains("serves MGS uuid\n"), "{real}");
        assert!(real.contains("--mgsnode=10.0.0.1@tcp:10.0.0.2@tcp"));
        assert!(real.contains("mount -t lustre 10.0.0.1@tcp:10.0.0.2@tcp:/scratch"));
        let simulated = show(9988);
        assert!(simulated.contains("simulated nodes only"));
        assert!(!simulated.contains("mkfs.lustre") && !simulated.contains("mount -t lustre"));
    }

    #[test]
    fn each_of_several_has_its_name_and_its_line() {
        let (a, b) = (config(Some("a")), config(Some("b")));
        let said = several(&[(&a, &running(988)), (&b, &running(9988))], Path::new("/d/api.sock"));
        for part in [
            "serves MGS a uuid\n",
            "serves MGS b uuid\n",
            "clients    mount -t lustre 10.0.0.1@tcp:10.0.0.2@tcp:/FSNAME",
            "simulated  lustre-peer demo --mgsnid 10.0.0.1@tcp --mgs-addr 10.0.0.1:9988",
            "export MGSD_API=unix:/d/api.sock\n",
            "mgsctl --mgs b status\n",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(said.matches("mkfs.lustre").count(), 1, "{said}");
    }
}
