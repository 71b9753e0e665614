//! `mgsctl param`: what the catalogue of tunables says. No daemon is asked.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use tunables::{Assignment, Catalogue, Judge, Syntax, Topology, Tunable, Verdict};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::{Fields, Table};

/// Lists and catalogues are smaller by far.
const MOST_BYTES: u64 = 64 << 20;

/// Characters of an assignment in a table; JSON has all of it.
const SHOWN: usize = 100;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judges assignments: which would be refused, and why
    ///
    /// Input is one assignment a line: conf_param, set_param-P or set_param, a tab, and the assignment as lctl takes it, such as
    /// testfs-OST0000.osc.max_dirty_mb=64. More columns, blank lines and lines that begin with # are left out. Each line is judged on
    /// its own, and prints one line with its verdict and class. The exit code is 1 if any is refused.
    Validate {
        /// The list; stdin unless given
        #[arg(short = 'f', long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// What is registered: TOML, [[filesystem]] with name, targets, nodemaps
        ///
        /// Without it, names are not held against what is registered, and this is said. Targets may have a version: { name =
        /// "OST0000", version = "2.15.4" }.
        #[arg(long, value_name = "FILE")]
        topology: Option<PathBuf>,
        /// Another catalogue than the one that is built in
        #[arg(long, value_name = "FILE")]
        catalogue: Option<PathBuf>,
    },
    /// Explains a parameter: type, range, unit, default, both spellings, versions, source
    Explain {
        /// A name in any spelling: osc.*.max_dirty_mb, testfs-OST0000.osc.max_dirty_mb, or max_dirty_mb
        name: String,
        /// Another catalogue than the one that is built in
        #[arg(long, value_name = "FILE")]
        catalogue: Option<PathBuf>,
    },
}

impl Command {
    pub(crate) fn run(self, out: &Output) -> Result<(), Failure> {
        match self {
            Command::Validate { file, topology, catalogue } => {
                let own = catalogue.as_deref().map(read_catalogue).transpose()?;
                validate(out, file.as_deref(), topology.as_deref(), own.as_ref())
            }
            Command::Explain { name, catalogue } => {
                let own = catalogue.as_deref().map(read_catalogue).transpose()?;
                explain(out, &name, own.as_ref().unwrap_or_else(|| Catalogue::shipped()))
            }
        }
    }
}

/// The verdicts on a list.
#[derive(Serialize)]
struct Judged {
    /// Checks that were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<String>,
    refused: usize,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    line: usize,
    #[serde(flatten)]
    assignment: Assignment,
    #[serde(flatten)]
    verdict: Verdict,
}

fn validate(
    out: &Output,
    file: Option<&Path>,
    topology: Option<&Path>,
    catalogue: Option<&Catalogue>,
) -> Result<(), Failure> {
    let topology = topology.map(read_topology).transpose()?;
    let (name, list) = read_input(file)?;
    let mut judge = Judge::new(catalogue.unwrap_or_else(|| Catalogue::shipped()));
    if let Some(topology) = &topology {
        judge = judge.topology(topology);
    }
    let mut items = Vec::new();
    for (line, assignment) in tunables::parse_list(&list) {
        let assignment = assignment
            .map_err(|why| Failure::Input { what: format!("{name}, line {line}"), why: why.to_string() })?;
        items.push(Item { line, verdict: judge.judge(&assignment), assignment });
    }
    let refused = items.iter().filter(|item| item.verdict.is_refused()).count();
    let judged = items.len();
    let skipped = judge.skipped().iter().map(ToString::to_string).collect();
    out.document(&Judged { skipped, refused, items }, verdicts)?;
    if refused > 0 { Err(Failure::Judged { refused, judged }) } else { Ok(()) }
}

fn verdicts(judged: &Judged) -> String {
    let mut table = Table::new(&["#LINE", "VERDICT", "CLASS", "SYNTAX", "ASSIGNMENT", "WHY"]);
    for item in &judged.items {
        let mut assignment: String = item.assignment.text.chars().take(SHOWN).collect();
        if item.assignment.text.chars().nth(SHOWN).is_some() {
            assignment.push('…');
        }
        let notes = item.verdict.notes.iter().map(|note| format!("note: {}", note.message));
        let why: Vec<String> =
            Some(item.verdict.to_string()).into_iter().filter(|why| !why.is_empty()).chain(notes).collect();
        table.row([
            item.line.to_string(),
            item.verdict.severity.to_string(),
            item.verdict.class.to_string(),
            item.assignment.syntax.to_string(),
            assignment,
            why.join("; "),
        ]);
    }
    let mut text = table.render();
    for skipped in &judged.skipped {
        text.push_str(&format!("# not checked without --topology: {skipped}\n"));
    }
    text
}

/// What is known of the tunables that a name stands for.
#[derive(Serialize)]
struct Explained<'a> {
    lustre_version: &'a str,
    /// The same name in the other spelling, where a whole one was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_spelling: Vec<String>,
    items: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    tunable: &'a Tunable,
    allowed: String,
    stored: &'static str,
}

fn explain(out: &Output, name: &str, catalogue: &Catalogue) -> Result<(), Failure> {
    let found = catalogue.lookup(name);
    if found.is_empty() {
        let near = catalogue.near(name);
        let hint =
            if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        let version = &catalogue.meta().lustre_version;
        return Err(Failure::Input {
            what: format!("{name:?}"),
            why: format!("Lustre {version} has no parameter of this name{hint}"),
        });
    }
    let plain = name.split('=').next().unwrap_or_default();
    let conf = tunables::translate(Syntax::ConfParam, plain);
    let translated = if conf.is_empty() { tunables::translate(Syntax::SetParamP, plain) } else { conf };
    let other_spelling = translated.iter().map(|t| format!("{} {}", t.syntax.command(), t.name)).collect();
    let items = found
        .into_iter()
        .map(|tunable| Entry {
            tunable,
            allowed: tunables::allowed(catalogue, tunable),
            stored: tunable.not_stored().map_or("yes", |_| "no"),
        })
        .collect();
    let document = Explained { lustre_version: &catalogue.meta().lustre_version, other_spelling, items };
    out.document(&document, entries)
}

fn entries(explained: &Explained<'_>) -> String {
    let mut texts = Vec::new();
    for Entry { tunable: t, allowed, .. } in &explained.items {
        let mut fields = Fields::default();
        let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        fields.add("id", &t.id);
        fields.add("description", &t.desc);
        fields.add_some("set_param", t.path.as_ref());
        fields.add_some("conf_param", t.conf_param.as_ref());
        fields.add_some("conf_param takes effect", t.conf_via.as_ref());
        fields.add("access", format!("{}, {}", word(&t.mode), word(&t.kind)));
        fields.add("stored", t.not_stored().map_or_else(|| "yes".to_owned(), |why| format!("no: it {why}")));
        fields.add("type", word(&t.value));
        fields.add("allowed", allowed);
        fields.add_some("unit", t.bare_unit());
        fields.add_some("default", t.default.as_ref());
        fields.add_some("documented range", t.documented_range.as_ref());
        fields.add_some("limit of the node", t.runtime_limit.as_ref());
        fields.add_some("changed silently", t.clamp.as_ref());
        fields.add_some("deprecated", t.deprecated.as_ref());
        fields.add_some("since", t.since);
        fields.add_some("until", t.until.as_ref());
        fields.add("nodes", t.nodes.join(", "));
        fields.add_some("note", t.note.as_ref());
        fields.add(
            "source",
            format!("{} ({}, Lustre {})", t.source, word(&t.confidence), explained.lustre_version),
        );
        texts.push(fields.render());
    }
    let mut text = texts.join("\n");
    for other in &explained.other_spelling {
        text.push_str(&format!("\nother spelling: {other}\n"));
    }
    text
}

/// A file, or stdin, with its name.
pub(crate) fn read_input(file: Option<&Path>) -> Result<(String, Vec<u8>), Failure> {
    match file {
        Some(path) if path.as_os_str() != "-" => Ok((path.display().to_string(), read(path)?)),
        _ => Ok(("stdin".to_owned(), bounded("stdin", std::io::stdin().lock())?)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let what = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|source| Failure::Io { what: what.clone(), source })?;
    bounded(&what, file)
}

fn bounded(what: &str, from: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    let read = read.map_err(|source| Failure::Io { what: what.to_owned(), source })?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MOST_BYTES {
        let why = format!("has more than {} MiB", MOST_BYTES >> 20);
        return Err(Failure::Input { what: what.to_owned(), why });
    }
    Ok(bytes)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|_| Failure::Input { what: path.display().to_string(), why: "is not UTF-8 text".to_owned() })
}

fn read_topology(path: &Path) -> Result<Topology, Failure> {
    let bad = |why: tunables::BadTopology| Failure::Input {
        what: path.display().to_string(),
        why: why.to_string(),
    };
    Topology::parse(&read_text(path)?).map_err(bad)
}

fn read_catalogue(path: &Path) -> Result<Catalogue, Failure> {
    let bad = |why: tunables::BadCatalogue| Failure::Input {
        what: path.display().to_string(),
        why: why.to_string(),
    };
    Catalogue::parse(&read_text(path)?).map_err(bad)
}
