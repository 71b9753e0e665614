//! `mgsctl status`.

use mgs_api::{Client, Status};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::Fields;

pub(crate) async fn run(api: &Client, out: &Output) -> Result<(), Failure> {
    out.document(&api.status().await?, table)
}

fn table(status: &Status) -> String {
    let mut fields = Fields::default();
    fields.add("mgs", format!("{} ({})", status.name, status.mgs_uuid));
    fields.add("version", &status.version);
    fields.add("nids", status.nids.join(","));
    fields.add("ready", if status.ready { "yes" } else { "no" });
    fields.add_some("why not", status.not_ready.as_ref());
    fields.add("seq", format!("{} (epoch {})", status.seq, status.epoch));
    fields.add("started", format!("{} (up {})", status.started, duration(status.uptime)));
    fields.add(
        "store",
        format!("{} {} (format {})", status.store.kind, status.store.location, status.store.format),
    );
    fields.add_some("store not answering since", status.store.silent_since.as_ref());
    fields.add_some("store trouble", status.store.trouble.as_ref());
    fields.add_some("store checked", status.store.checked.as_ref());
    for finding in &status.store.damage {
        fields.add("store damage", finding);
    }
    for node in &status.must_remount {
        fields.add("must remount", format!("{} (read on in {})", node.nid, node.logs.join(", ")));
    }
    fields.add("file systems", status.fs_count);
    fields.add("connected nodes", status.client_count);
    if let Some(log) = &status.fullest_log {
        let left = log.commits_left.map_or_else(String::new, |n| format!(", about {n} commits left"));
        fields.add("fullest log", format!("{}: {} of {} indices{left}", log.log, log.used, log.limit));
    }
    for (name, count) in &status.counters {
        fields.add(format!("count {name}"), count);
    }
    fields.render()
}

/// Seconds as people say them: `1d 1h 1m 1s`, from the largest unit that is not zero.
fn duration(seconds: u64) -> String {
    let units =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: Vec<String> = units
        .iter()
        .skip_while(|(count, unit)| *count == 0 && *unit != "s")
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations() {
        let said = [0, 59, 60, 3_600, 90_061].map(super::duration);
        assert_eq!(said, ["0s", "59s", "1m 0s", "1h 0m 0s", "1d 1h 1m 1s"]);
    }
}
