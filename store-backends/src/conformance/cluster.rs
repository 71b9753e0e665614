//! Real etcd processes for tests: on free ports, in a directory that goes away with the test.
//!
//! ```text
//!   test ──stdin──► sh ── etcd        the pipe closes when the test ends, however it ends: sh kills etcd
//! ```

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::etcd::{EtcdConfig, EtcdStore};

/// Says its process id, then waits for the pipe: `keep` leaves the data, the end of the pipe does not.
const KEEPER: &str = r#"
dir=$1; shift
"$@" >>"$dir.log" 2>&1 </dev/null &
pid=$!
echo $pid
read -r last
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ "$last" = keep ] || rm -rf "$dir" "$dir.log"
rmdir "${dir%/*}" 2>/dev/null
exit 0
"#;

/// What differs from a plain cluster.
#[derive(Clone, Default)]
pub struct Settings {
    /// `--quota-backend-bytes`.
    pub quota_bytes: Option<u64>,
    /// Authority, certificate, key (PEM): members speak TLS to clients and ask for a certificate.
    pub tls: Option<[PathBuf; 3]>,
}

/// Members of one cluster. Killed, and their data removed, when the process ends; with `Drop` even before.
pub struct Cluster {
    members: Vec<Member>,
    scheme: &'static str,
}

struct Member {
    args: Vec<String>,
    dir: PathBuf,
    port: u16,
    keeper: Mutex<Option<(Child, u32)>>,
}

impl Cluster {
    /// Starts `size` members, and waits until a store in them answers.
    pub fn start(size: usize, settings: &Settings) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let shm = Path::new("/dev/shm");
        let parent = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
        let name = format!("mgsd-etcd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = parent.join(&name);
        std::fs::create_dir(&dir).expect("a directory for etcd");
        let ports = free_ports(size * 2);
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let peer = |i: usize| format!("http://127.0.0.1:{}", ports[size + i]);
        let all: Vec<String> = (0..size).map(|i| format!("m{i}={}", peer(i))).collect();
        let member = |i: usize| {
            let client = format!("{scheme}://127.0.0.1:{}", ports[i]);
            let data = dir.join(format!("m{i}"));
            let mut args: Vec<String> = [
                ("name", format!("m{i}")),
                ("data-dir", data.display().to_string()),
                ("listen-client-urls", client.clone()),
                ("advertise-client-urls", client),
                ("listen-peer-urls", peer(i)),
                ("initial-advertise-peer-urls", peer(i)),
                ("initial-cluster", all.join(",")),
                ("initial-cluster-token", name.clone()),
                ("heartbeat-interval", "50".to_owned()),
                ("election-timeout", "500".to_owned()),
                ("logger", "zap".to_owned()),
                ("log-level", "warn".to_owned()),
            ]
            .into_iter()
            .flat_map(|(name, value)| [format!("--{name}"), value])
            .collect();
            if let Some(quota) = settings.quota_bytes {
                args.extend(["--quota-backend-bytes".to_owned(), quota.to_string()]);
            }
            if let Some([ca, cert, key]) = &settings.tls {
                for (name, path) in [("trusted-ca-file", ca), ("cert-file", cert), ("key-file", key)] {
                    args.extend([format!("--{name}"), path.display().to_string()]);
                }
                args.push("--client-cert-auth".to_owned());
            }
            Member { args, dir: data, port: ports[i], keeper: Mutex::new(None) }
        };
        let cluster = Self { members: (0..size).map(member).collect(), scheme };
        (0..size).for_each(|i| cluster.revive(i));
        cluster
    }

    /// `etcd:…` with all members, for a store of this name.
    pub fn url(&self, name: &str) -> String {
        self.url_through(name, &(0..self.members.len()).collect::<Vec<_>>())
    }

    /// The same through some members only.
    pub fn url_through(&self, name: &str, members: &[usize]) -> String {
        let hosts: Vec<_> = members.iter().map(|i| format!("127.0.0.1:{}", self.members[*i].port)).collect();
        format!("etcd:{}://{}/mgsd/{name}", self.scheme, hosts.join(","))
    }

    /// Where a member listens for clients.
    pub fn port(&self, member: usize) -> u16 {
        self.members[member].port
    }

    /// A store of a name that no other test uses.
    pub async fn fresh_store(&self) -> EtcdStore {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.open(&self.url(&name)).await
    }

    /// A store of this address; waits for a cluster that is just starting.
    pub async fn open(&self, url: &str) -> EtcdStore {
        let mut config = EtcdConfig::parse(url).expect("an address");
        let patience = std::mem::replace(&mut config.timeout, Duration::from_secs(60));
        EtcdStore::open(&config).await.expect("etcd answers (apt install etcd-server)");
        config.timeout = patience;
        EtcdStore::open(&config).await.expect("etcd answers")
    }

    /// `kill -9`; its data stays.
    pub fn kill(&self, member: usize) {
        self.members[member].stop(true);
    }

    /// Starts a member again that was killed.
    pub fn revive(&self, member: usize) {
        self.members[member].start();
    }

    /// Sends a signal (`STOP`, `CONT`) to a member.
    pub fn signal(&self, member: usize, signal: &str) {
        let keeper = self.members[member].keeper.lock().unwrap();
        let pid = keeper.as_ref().expect("a running member").1.to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(sent.expect("kill runs").success(), "kill -{signal} {pid}");
    }
}

impl Member {
    fn start(&self) {
        let mut keeper = self.keeper.lock().unwrap();
        assert!(keeper.is_none(), "it runs already");
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(&self.dir).arg("etcd").args(&self.args);
        // Debian refuses nothing here, other architectures than amd64 and arm64 want to be asked for
        command.env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).expect("sh says a process id");
        *keeper = Some((child, line.trim().parse().expect("a process id")));
    }

    fn stop(&self, keep: bool) {
        if let Some((mut child, _)) = self.keeper.lock().unwrap().take() {
            if let Some(mut stdin) = child.stdin.take() {
                let _ = stdin.write_all(if keep { b"keep\n" } else { b"\n" });
            }
            let _ = child.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.members.iter().for_each(|member| member.stop(false));
        // members that were killed, and not revived, have left their data
        if let Some(dir) = self.members.first().and_then(|member| member.dir.parent()) {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Ports that were free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
