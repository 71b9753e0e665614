//! Hosts in network namespaces of their own, behind IP routers that know where each address is; all gone afterwards.
//!
//! ```text
//!   host ── eth0 ══ veth ══ [hub of 10.0.0.0/16] ══ veth ══ eth0 ── host
//!                                                             eth1 ══ [hub of 10.1.0.0/16] ══ …
//! ```
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::future::Future;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::{Builder, Runtime};

static SITES: AtomicU32 = AtomicU32::new(0);

/// `ip` of iproute2 with these words.
fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output();
    let output = output.expect("`ip` is needed: install iproute2 (scripts/setup test)");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {words}: {said}");
}

/// Names of namespaces; they go with it.
pub(crate) struct Site {
    prefix: String,
    made: Vec<String>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let root = rustix::process::geteuid().is_root();
        assert!(root, "this test makes network namespaces: run it as root");
        let number = SITES.fetch_add(1, Ordering::Relaxed);
        Self { prefix: format!("mgsd-{}-{number}", std::process::id()), made: Vec::new() }
    }

    fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.prefix)
    }

    fn make(&mut self, short: &str) -> String {
        let name = self.name(short);
        ip(&format!("netns add {name}"));
        self.made.push(name.clone());
        ip(&format!("-n {name} link set lo up"));
        name
    }

    /// The middle of a network `10.<number>.0.0/16`.
    pub(crate) fn hub(&mut self, number: u8) {
        let name = self.make(&format!("hub{number}"));
        ip(&format!("netns exec {name} sysctl -q -w net.ipv4.ip_forward=1"));
    }

    /// A host, not yet on any network.
    pub(crate) fn host(&mut self, short: &str) -> Host {
        Host::new(short, self.make(short))
    }

    /// Puts a host on the network of an address.
    pub(crate) fn attach(&self, host: &Host, address: Ipv4Addr) {
        let [_, number, ..] = address.octets();
        let (hub, name) = (self.name(&format!("hub{number}")), &host.namespace);
        let (port, eth) = (&host.short, format!("eth{number}"));
        let gateway = format!("169.254.{number}.1");
        ip(&format!("-n {hub} link add {port} type veth peer name {eth} netns {name}"));
        ip(&format!("-n {hub} address add {gateway}/32 dev {port}"));
        ip(&format!("-n {hub} link set {port} up"));
        ip(&format!("-n {name} address add {address}/32 dev {eth}"));
        ip(&format!("-n {name} link set {eth} up"));
        ip(&format!("-n {name} route add {gateway}/32 dev {eth}"));
        ip(&format!("-n {name} route add 10.{number}.0.0/16 via {gateway} src {address}"));
        ip(&format!("-n {hub} route add {address}/32 dev {port}"));
    }

    /// An address leaves `from`, if it has it, and comes to `to`.
    pub(crate) fn move_address(&self, address: Ipv4Addr, from: Option<&Host>, to: &Host) {
        let [_, number, ..] = address.octets();
        if let Some(from) = from {
            ip(&format!("-n {} address delete {address}/32 dev eth{number}", from.namespace));
        }
        let hub = self.name(&format!("hub{number}"));
        ip(&format!("-n {hub} route replace {address}/32 dev {}", to.short));
        ip(&format!("-n {} address add {address}/32 dev eth{number}", to.namespace));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for name in &self.made {
            let _ = Command::new("ip").args(["netns", "delete", name]).output(); // best effort, in panics too
        }
    }
}

/// A namespace with threads in it.
pub(crate) struct Host {
    short: String,
    namespace: String,
    runtime: Option<Runtime>,
}

impl Host {
    fn new(short: &str, namespace: String) -> Self {
        let file = File::open(format!("/run/netns/{namespace}")).unwrap();
        let enter = move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        };
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().on_thread_start(enter).build();
        Self { short: short.to_owned(), namespace, runtime: Some(runtime.unwrap()) }
    }

    /// Runs something there, and all that it spawns.
    pub(crate) async fn run<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.as_ref().unwrap().spawn(what).await.unwrap()
    }

    /// Everything there ends, its sockets too.
    pub(crate) fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.die();
    }
}
