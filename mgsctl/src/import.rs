//! `mgsctl param import`: assignments from what Lustre's own tools print.

use std::path::Path;

use mgs_api::{Client, ParamAssignment, ParamSyntax};
use serde::Serialize;
use tunables::Syntax;

use crate::exit::Failure;
use crate::output::Output;
use crate::param;
use crate::table::Table;

/// What became of a file.
#[derive(Serialize)]
struct Imported {
    /// Nothing was changed.
    dry_run: bool,
    refused: usize,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    line: usize,
    assignment: String,
    /// `set`, `same`, `refused`, `unreadable`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[allow(clippy::too_many_arguments)] // what was typed
/// Looks at each assignment of the file, and with `apply` makes those that nothing speaks against.
pub(crate) async fn run(
    api: &Client,
    out: &Output,
    file: Option<&Path>,
    fs: Option<&str>,
    apply: bool,
    force: bool,
    wait: bool,
) -> Result<(), Failure> {
    let text = param::read_input(file)?.1;
    let mut items: Vec<Item> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (line, found) in tunables::import(&text, fs) {
        let assignment = match found {
            Ok(assignment) => assignment,
            Err(why) => {
                let notes = vec![why.to_string()];
                items.push(Item { line, assignment: String::new(), result: "unreadable", seq: None, notes });
                continue;
            }
        };
        if !seen.insert((assignment.syntax.label(), assignment.text.clone())) {
            continue; // the logs of clients and MDTs say the same
        }
        let syntax = match assignment.syntax {
            Syntax::ConfParam => ParamSyntax::ConfParam,
            Syntax::SetParamP | Syntax::SetParam => ParamSyntax::SetParam,
        };
        let text = assignment.text;
        let to = ParamAssignment { assignment: text.clone(), syntax: Some(syntax), force, wait };
        items.push(match api.param_set(&to, !apply).await {
            Ok(change) => {
                let changes = change.seq.is_some() || !change.events.is_empty();
                let result = if changes { "set" } else { "same" };
                Item { line, assignment: text, result, seq: change.seq, notes: change.warnings }
            }
            Err(mgs_api::Error::Refused(problem)) => {
                let notes = vec![problem.to_string()];
                Item { line, assignment: text, result: "refused", seq: None, notes }
            }
            Err(error) => return Err(error.into()),
        });
    }
    let refused = items.iter().filter(|i| matches!(i.result, "refused" | "unreadable")).count();
    let judged = items.len();
    out.document(&Imported { dry_run: !apply, refused, items }, show)?;
    if refused > 0 { Err(Failure::Judged { refused, judged }) } else { Ok(()) }
}

fn show(imported: &Imported) -> String {
    let mut table = Table::new(&["#LINE", "RESULT", "ASSIGNMENT", "NOTES"]);
    for item in &imported.items {
        let result = match (imported.dry_run, item.result) {
            (true, "set") => "would be set",
            (_, other) => other,
        };
        table.row([item.line.to_string(), result.to_owned(), item.assignment.clone(), item.notes.join("; ")]);
    }
    let end = if imported.dry_run { "nothing was changed; --apply makes the assignments\n" } else { "" };
    format!("{}{end}", table.render())
}
