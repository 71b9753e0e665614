//! What a change did, for people.

use mgs_api::Change;

/// What every change can be asked.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// Say which logs, which records and who would be told; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// One line of verdict, then logs and records.
pub(crate) fn show(change: &Change) -> String {
    let mut out = match (change.dry_run, change.seq) {
        (true, _) if change.events.is_empty() && change.logs.is_empty() => {
            "would change nothing\n".to_owned()
        }
        (true, _) => "would be done; nothing was changed\n".to_owned(),
        (false, Some(seq)) => format!("done, seq {seq}\n"),
        // who is connected, or a barrier: no commit has it
        (false, None) if !change.events.is_empty() => "done\n".to_owned(),
        (false, None) => "nothing to do: all is as asked for\n".to_owned(),
    };
    for warning in &change.warnings {
        out += &format!("warning: {warning}\n");
    }
    if !change.notified.is_empty() {
        out += &format!("notified: {}\n", change.notified.join(", "));
    }
    for log in &change.logs {
        out += &format!("{}:\n", log.log);
        if log.erased {
            out += "  erased\n";
        }
        if !log.edited.is_empty() {
            let list: Vec<String> = log.edited.iter().map(ToString::to_string).collect();
            out += &format!("  edited in place: {}\n", list.join(", "));
        }
        if !log.cancelled.is_empty() {
            let list: Vec<String> = log.cancelled.iter().map(ToString::to_string).collect();
            out += &format!("  cancelled: {}\n", list.join(", "));
        }
        for record in &log.appended {
            out += &format!("  + {}\n", record.trim_start_matches("- "));
        }
    }
    out
}
