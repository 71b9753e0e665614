//! `get_param`, and the `set_param` of what an MGS has of its own.

use mgs_api::{RecoverySwitch, StartupTime};
use tunables::{Assignment, Catalogue, Judge, Syntax};

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::getopt::{Given, Opt, flag, parse, word};
use super::tree::{Param, tree};

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
        front.note(&of_other_nodes(path, value));
        return Err(fail(Errno::ENOENT));
    }
    for param in found {
        let parts: Vec<&str> = param.path.iter().map(String::as_str).collect();
        let (root, done) = match parts.as_slice() {
            ["mgs", _, "live", fs] => (DEBUGFS, write_live(front, fs, value).await),
            ["mgs", _, "evict_client"] => (SYSFS, evict(front, value).await),
            ["mgs", _, "ir_timeout"] => (SYSFS, write_ir_timeout(front, value).await),
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

/// What is to be said of a parameter that an MGS does not have: whether a node of another kind would take it.
fn of_other_nodes(path: &str, value: &str) -> String {
    let assignment = Assignment::new(Syntax::SetParam, format!("{path}={value}"));
    let verdict = Judge::new(Catalogue::shipped()).judge(&assignment);
    match verdict.is_refused() {
        true => format!("{verdict} ({})", verdict.class.label()),
        false => format!(
            "an MGS has no {path}: it is set on the node that has it, or with 'set_param -P' for all of them"
        ),
    }
}

/// `nid:10.0.0.4@tcp`, `uuid:…`, or either without its word. A kernel evicts by UUID only where the word is missing.
async fn evict(front: &Front<'_>, who: &str) -> Result<(), Errno> {
    let who = who.strip_prefix("nid:").or_else(|| who.strip_prefix("uuid:")).unwrap_or(who);
    front.api.client_evict(who, false).await.map(|_| ()).map_err(|error| front.errno(&error))
}

/// Seconds. A kernel takes them, and says that it does not.
async fn write_ir_timeout(front: &Front<'_>, value: &str) -> Result<(), Errno> {
    let seconds = value.trim().parse().map_err(|_| Errno::EINVAL)?;
    let done = front.api.fs_startup(StartupTime { seconds }, false).await;
    done.map(|_| ()).map_err(|error| front.errno(&error))
}

/// Commands, `;` between them: `state=full`, `state=disabled`, and `0`, which counts notifications anew. A state that
/// follows from time and from what is connected cannot be set: *partial* and *startup* switch on, as *full* does.
async fn write_live(front: &Front<'_>, fs: &str, value: &str) -> Result<(), Errno> {
    for command in value.trim().split(';') {
        let done = match command {
            "state=full" | "state=partial" | "state=startup" => {
                front.api.fs_recovery(fs, RecoverySwitch { enabled: true }, false).await
            }
            "state=disabled" => front.api.fs_recovery(fs, RecoverySwitch { enabled: false }, false).await,
            "0" => front.api.fs_recovery_reset(fs, false).await,
            _ => return Err(Errno::EINVAL),
        };
        done.map_err(|error| front.errno(&error))?;
    }
    Ok(())
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
