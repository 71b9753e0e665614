//! What was typed on the node of the recorded MGS: `vectors/lctl`.

use std::time::Duration;

/// A command line and what it printed.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// `B01a-conf_param-timeout`, with the number of the command in its stage behind a `+` where that is not the first.
    pub(crate) stage: String,
    pub(crate) line: String,
    /// stdout and stderr in one.
    pub(crate) printed: String,
    pub(crate) code: i32,
    /// When it was typed, since the Unix epoch.
    pub(crate) at: Duration,
}

pub(crate) fn session(name: &str) -> Vec<Typed> {
    let path = capture::vectors_dir().join(format!("lctl/{name}.log"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut out: Vec<Typed> = Vec::new();
    for entry in text.split("### stage=").skip(1) {
        let (head, rest) = entry.split_once("\n$ ").unwrap();
        let (line, printed) = rest.split_once('\n').unwrap();
        let stage = head.split(' ').next().unwrap();
        let before = out.iter().filter(|t| t.stage.split('+').next() == Some(stage)).count();
        let stage = if before == 0 { stage.to_owned() } else { format!("{stage}+{before}") };
        let code = head.rsplit_once("rc=").unwrap().1.parse().unwrap();
        let at: f64 = head.split("start=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let at = Duration::from_secs_f64(at);
        out.push(Typed { stage, line: line.to_owned(), printed: printed.to_owned(), code, at });
    }
    assert!(!out.is_empty(), "{name}");
    out
}

/// What an output has of the commands. Left out are lines of the kernel's console, and durations (mask: timing). Logs,
/// which a kernel takes in the order of a hash, are sorted by name, with what is said of each.
pub(crate) fn normal(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut logs: Vec<String> = Vec::new();
    for line in text.trim_end().lines() {
        let console = line.strip_prefix('[').and_then(|l| l.trim_start().split_once("] "));
        if console.is_some_and(|(time, _)| time.parse::<f64>().is_ok()) {
            continue;
        }
        let line = match line.split_once(": ") {
            Some((key @ ("    notify_duration_total" | "    notify_duation_max"), _)) => format!("{key}: 0"),
            _ => line.to_owned(),
        };
        if line.starts_with("config_log: ") {
            logs.push(line);
            continue;
        }
        let of_log = ["[DRY RUN]", "cancel catalog", "del_ost: no ", "del_ost: cancelled "];
        match logs.last_mut().filter(|_| of_log.iter().any(|start| line.starts_with(start))) {
            Some(log) => *log += &format!("\n{line}"),
            None => {
                logs.sort();
                out.append(&mut logs);
                out.push(line);
            }
        }
    }
    logs.sort();
    out.append(&mut logs);
    out.join("\n")
}
