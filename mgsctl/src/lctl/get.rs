//! `get_param`, and the `set_param` of what an MGS has of its own: the tree `mgs.MGS`, made of documents of the API.

use mgs_api::{FileSystem, RecoverySwitch};

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::getopt::{Given, Opt, flag, parse, word};
use super::live;

/// One parameter.
struct Param {
    /// `["mgs", "MGS", "live", "testfs"]`: a NID has dots of its own.
    path: Vec<String>,
    /// As it is read, without the last newline; or why it cannot be.
    value: Result<String, Errno>,
}

impl Param {
    fn name(&self) -> String {
        self.path.join(".")
    }
}

/// Options of `get_param`. Those that need files and links are taken and mean nothing here.
const GET: &[Opt] = &[
    flag('b', "dshbak"),
    word('c', "color"),
    flag('F', "classify"),
    flag('H', "header"),
    flag('l', "links"),
    flag('L', "no-links"),
    flag('m', "merge"),
    flag('M', "no-merge"),
    flag('n', "no-name"),
    flag('N', "only-name"),
    flag('N', "name-only"),
    flag('o', "module"),
    flag('p', "path"),
    flag('r', "readable"),
    flag('R', "recursive"),
    flag('t', "tunable"),
    flag('w', "writable"),
    flag('y', "yaml"),
];

/// Where the writable ones stand on a kernel MGS: messages name the file.
const SYSFS: &str = "/sys/fs/lustre";
const DEBUGFS: &str = "/sys/kernel/debug/lustre";

/// `get_param [-nNR] PATTERN…`.
pub(super) async fn get(front: &Front<'_>, args: &[String]) -> Done {
    let given = parse(args, GET).map_err(|why| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    })?;
    if given.words.is_empty() {
        return Err(End::Usage);
    }
    let listing = front.name == "list_param";
    let tree = tree(front).await?;
    let mut end = Ok(());
    for text in &given.words {
        let pattern = Pattern::new(text);
        let found: Vec<&Param> = tree.iter().filter(|p| pattern.takes(&p.path, given.has('R'))).collect();
        let directory = tree.iter().any(|p| pattern.takes(&p.path, true));
        if found.is_empty() && !directory {
            front.complain(format!(
                "error: {}: param_path '{}': {}",
                front.name,
                pattern.shown(),
                Errno::ENOENT.text
            ));
            end = end.and(Err(End::Errno(Errno::ENOENT)));
            continue;
        }
        if listing {
            front.say(listed(&tree, &pattern, given.has('R')))?;
            continue;
        }
        for param in &found {
            if let Err(errno) = param.value {
                front.complain(format!(
                    "error: read_param: '{SYSFS}/{}': {}",
                    param.path.join("/"),
                    errno.text
                ));
            }
        }
        let lines = found.iter().filter_map(|p| Some(line(p, p.value.as_ref().ok()?, &given)));
        front.say(lines.collect::<String>())?;
    }
    end
}

fn line(param: &Param, value: &str, given: &Given) -> String {
    match (given.has('N'), given.has('n')) {
        (true, _) => format!("{}\n", param.name()),
        (false, true) => format!("{value}\n"),
        (false, false) if value.contains('\n') => format!("{}=\n{value}\n", param.name()),
        (false, false) => format!("{}={value}\n", param.name()),
    }
}

/// Names of `list_param`: parameters, and the directories between.
fn listed(tree: &[Param], pattern: &Pattern, recursive: bool) -> String {
    let mut names: Vec<String> = Vec::new();
    for param in tree.iter().filter(|p| pattern.takes(&p.path, true)) {
        for len in 1..=param.path.len() {
            let head = param.path.get(..len).unwrap_or_default();
            let name = head.join(".");
            if pattern.takes(head, recursive) && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.into_iter().map(|name| name + "\n").collect()
}

/// `set_param PATH=VALUE`, where the MGS has something to be set.
pub(super) async fn set(front: &Front<'_>, given: &Given) -> Done {
    let mut words = given.words.iter();
    while let Some(text) = words.next() {
        let (path, value) = match text.split_once('=') {
            Some((path, value)) => (path, Some(value)),
            None => (text.as_str(), words.next().map(String::as_str)),
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            front.complain(format!("error: {}: setting {path}: {}", front.name, Errno::EINVAL.text));
            return Err(End::Errno(Errno::EINVAL));
        };
        set_one(front, path, value, given.has('n')).await?;
    }
    Ok(())
}

async fn set_one(front: &Front<'_>, path: &str, value: &str, quiet: bool) -> Done {
    let pattern = Pattern::new(path);
    let tree = tree(front).await?;
    let found: Vec<&Param> = tree.iter().filter(|p| pattern.takes(&p.path, false)).collect();
    let fail = |errno: Errno| {
        front.complain(format!(
            "error: {}: setting '{}'='{value}': {}",
            front.name,
            pattern.shown(),
            errno.text
        ));
        End::Errno(errno)
    };
    if found.is_empty() {
        front.complain(format!(
            "error: {}: param_path '{}': {}",
            front.name,
            pattern.shown(),
            Errno::ENOENT.text
        ));
        return Err(fail(Errno::ENOENT));
    }
    for param in found {
        let parts: Vec<&str> = param.path.iter().map(String::as_str).collect();
        let (root, done) = match parts.as_slice() {
            ["mgs", _, "live", fs] => (DEBUGFS, write_live(front, fs, value).await),
            ["mgs", _, "evict_client"] => (SYSFS, evict(front, value).await),
            _ => {
                let file = format!("{SYSFS}/{}", param.path.join("/"));
                front.complain(format!("error: {}: opening '{file}': {}", front.name, Errno::EACCES.text));
                return Err(fail(Errno::EACCES));
            }
        };
        if let Err(errno) = done {
            let file = format!("{root}/{}={value}", param.path.join("/"));
            front.complain(format!("error: {}: setting {file}: {}", front.name, errno.text));
            return Err(fail(errno));
        }
        if !quiet {
            front.say(format!("{}={value}\n", param.name()))?;
        }
    }
    Ok(())
}

/// `nid:10.0.0.4@tcp`, `uuid:…`, or either without its word. A kernel evicts by UUID only where the word is missing.
async fn evict(front: &Front<'_>, who: &str) -> Result<(), Errno> {
    let who = who.strip_prefix("nid:").or_else(|| who.strip_prefix("uuid:")).unwrap_or(who);
    front.api.client_evict(who, false).await.map(|_| ()).map_err(|error| front.errno(&error))
}

/// `state=full`, `state=disabled`. A state that follows from what is connected cannot be set: *partial* switches on, as
/// *full* does.
async fn write_live(front: &Front<'_>, fs: &str, value: &str) -> Result<(), Errno> {
    let enabled = match value.trim() {
        "state=full" | "state=partial" => true,
        "state=disabled" => false,
        _ => return Err(Errno::EINVAL),
    };
    let done = front.api.fs_recovery(fs, RecoverySwitch { enabled }, false).await;
    done.map(|_| ()).map_err(|error| front.errno(&error))
}

/// Everything, in the order of a kernel: first what stands in sysfs, by name; then the directories.
async fn tree(front: &Front<'_>) -> Done<Vec<Param>> {
    let read = async {
        let status = front.api.status().await?;
        let file_systems = front.api.fs_list().await?.items;
        let targets = front.api.targets(None).await?.items;
        let clients = front.api.clients().await?.items;
        let logs = front.api.logs(None).await?.items;
        Ok::<_, mgs_api::Error>((status, file_systems, targets, clients, logs))
    };
    let maps = nodemaps(front).await?;
    let (status, file_systems, targets, clients, logs) =
        read.await.map_err(|error| End::Errno(front.errno(&error)))?;
    let mgs = status.name.as_str();
    let mut tree = Vec::new();
    let mut add = |path: &[&str], value: String| {
        let path = ["mgs", mgs].iter().chain(path).map(|part| (*part).to_owned()).collect();
        tree.push(Param { path, value: Ok(value) });
    };
    let counter = |name: &str| status.counters.get(name).copied().unwrap_or(0).to_string();
    add(&["eviction_count"], counter("evictions"));
    add(&["num_exports"], clients.len().to_string());
    add(&["uuid"], mgs.to_owned());
    for client in &clients {
        add(&["exports", &client.nid, "export"], live::export(mgs, client));
        add(&["exports", &client.nid, "uuid"], client.uuid.clone());
    }
    add(&["filesystems"], names(&file_systems));
    let params = logs.iter().find(|log| log.name == "params");
    let steps = match params.filter(|log| log.size != 0) {
        Some(log) => live::last_step(front, &log.name).await?,
        None => 1,
    };
    let state = file_systems.first().map_or(mgs_api::IrState::Full, |fs| fs.ir_state);
    let mut live: Vec<(&str, String)> = vec![("params", live::params(steps, state))];
    for fs in &file_systems {
        let own: Vec<&str> = targets.iter().filter(|t| t.fs == fs.name).map(|t| t.name.as_str()).collect();
        live.push((&fs.name, live::file_system(fs, &own)));
    }
    live.sort_by_key(|(name, _)| *name);
    for (name, text) in live {
        add(&["live", name], text);
    }
    add(&["srpc_rules"], String::new());
    for (path, value) in maps {
        tree.push(Param { path, value: Ok(value) });
    }
    let path = ["mgs", mgs, "evict_client"].map(str::to_owned).to_vec();
    tree.insert(0, Param { path, value: Err(Errno::EACCES) });
    tree.sort_by_key(|param| {
        param.path.get(2).is_some_and(|p| ["filesystems", "srpc_rules"].contains(&p.as_str()))
    });
    Ok(tree)
}

/// `nodemap.*`.
async fn nodemaps(front: &Front<'_>) -> Done<Vec<(Vec<String>, String)>> {
    let read = async {
        let all = front.api.nodemaps().await?;
        let mut out =
            vec![(vec!["nodemap".to_owned(), "active".to_owned()], u8::from(all.active).to_string())];
        for entry in &all.items {
            let map = front.api.nodemap(&entry.name).await?;
            for (name, value) in crate::nodemap::properties::all(&map) {
                // A list comes with the line break in front that is printed behind the name.
                let value = value.strip_prefix('\n').unwrap_or(&value).to_owned();
                out.push((vec!["nodemap".to_owned(), entry.name.clone(), name.to_owned()], value));
            }
        }
        Ok::<_, mgs_api::Error>(out)
    };
    read.await.map_err(|error| End::Errno(front.errno(&error)))
}

fn names(file_systems: &[FileSystem]) -> String {
    let names: Vec<&str> = file_systems.iter().map(|fs| fs.name.as_str()).collect();
    // One name stands below the name of the parameter, too: the file ends in a newline, and `=` would read as a value.
    names.join("\n")
}

/// `dl`: the one device there is, with the number of its connections.
pub(super) async fn devices(front: &Front<'_>) -> Done {
    match front.api.status().await {
        Ok(status) => front.say(format!("  0 UP mgs {0} {0} {1}\n", status.name, status.client_count)),
        Err(error) => Err(End::Errno(front.errno(&error))),
    }
}

/// A pattern of lctl: shell wildcards within the parts of a path, dots or slashes between them.
struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        if text.contains('/') {
            return Self { parts: text.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
        }
        let mut parts: Vec<String> = Vec::new();
        for part in text.split('.') {
            // The dots of an address belong to it: 10, 77, 0, 3@tcp.
            let digits = |p: &String| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
            let three = parts.len().checked_sub(3).filter(|at| parts.iter().skip(*at).all(digits));
            match three.filter(|_| part.contains('@')) {
                Some(at) => {
                    let head = parts.split_off(at).join(".");
                    parts.push(format!("{head}.{part}"));
                }
                None => parts.push(part.to_owned()),
            }
        }
        Self { parts }
    }

    /// As messages show it.
    fn shown(&self) -> String {
        self.parts.join("/")
    }

    /// Whether it names this, or with `below` something that this lies in.
    fn takes(&self, path: &[String], below: bool) -> bool {
        let long = if below { path.len() >= self.parts.len() } else { path.len() == self.parts.len() };
        long && self.parts.iter().zip(path).all(|(pattern, part)| glob(pattern.as_bytes(), part.as_bytes()))
    }
}

/// `*`, `?` and `[a-z]`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // Where the last star was, and what it has taken so far: enough to go back to.
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(&byte) = text.get(t) {
        let used = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => 1,
            Some(b'[') => class(pattern.get(p..).unwrap_or_default(), byte),
            Some(&other) if other == byte => 1,
            _ => 0,
        };
        match (used, star) {
            (0, None) => return false,
            (0, Some((at, from))) => {
                (p, t) = (at + 1, from + 1);
                star = Some((at, from + 1));
            }
            (used, _) => (p, t) = (p + used, t + 1),
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
}

/// Length of a class that a byte is in; 0: it is not.
fn class(pattern: &[u8], byte: u8) -> usize {
    let Some(end) = pattern.iter().position(|b| *b == b']') else { return usize::from(byte == b'[') };
    let mut inside = pattern.get(1..end).unwrap_or_default();
    let not = inside.first().is_some_and(|b| b"!^".contains(b));
    inside = inside.get(usize::from(not)..).unwrap_or_default();
    let mut hit = false;
    while let Some((&first, rest)) = inside.split_first() {
        match rest {
            [b'-', last, more @ ..] => {
                hit |= (first..=*last).contains(&byte);
                inside = more;
            }
            more => {
                hit |= first == byte;
                inside = more;
            }
        }
    }
    if hit == not { 0 } else { end + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let path = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        let live = path("mgs|MGS|live|testfs");
        let uuid = path("mgs|MGS|exports|10.77.0.3@tcp|uuid");
        for (pattern, what, below, takes) in [
            ("mgs.MGS.live.testfs", &live, false, true),
            ("mgs/MGS/live/*", &live, false, true),
            ("mgs.*.live.te?t[e-g]s", &live, false, true),
            ("mgs.MGS.live.t[!e]stfs", &live, false, false),
            ("mgs.MGS.*", &live, false, false),
            ("mgs.MGS.*", &live, true, true),
            ("mgs.MGS.exports.*.uuid", &uuid, false, true),
            ("mgs.MGS.exports.10.77.0.3@tcp.uuid", &uuid, false, true),
            ("mgs.MGS.exports.10.77.0.*@tcp.uuid", &uuid, false, true),
            ("mgs.MGS.exports.*3@tcp.*", &uuid, false, true),
        ] {
            assert_eq!(Pattern::new(pattern).takes(what, below), takes, "{pattern}");
        }
        assert!(
            glob(b"a*b*c", b"a--b-b--c") && !glob(b"a*b", b"a--c") && glob(b"**", b"") && !glob(b"?", b"")
        );
    }
}
