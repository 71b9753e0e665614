//! `mgsctl nodemap`.

mod edit;
pub(crate) mod properties;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use mgs_api::{Client, NodemapEdits, NodemapIdKind, NodemapTest, Nodemaps};

use crate::change;
use crate::exit::Failure;
use crate::output::Output;
use crate::param;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Nodemap {
    /// Of a change: say what it would do to the index that servers read; change nothing
    #[arg(long, global = true)]
    dry_run: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the nodemaps
    List,
    /// Shows a nodemap, in the words of lctl get_param
    Show {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Only this property
        property: Option<String>,
    },
    /// Says whose a NID is, and what becomes of an id there
    Test {
        /// NID of a client
        nid: String,
        /// An id on the client
        #[arg(long)]
        id: Option<u32>,
        /// Of what
        #[arg(long, value_name = "KIND", default_value = "uid")]
        kind: edit::Kind,
    },
    /// Makes all changes of a file, or none; servers are told once
    ///
    /// One change a line, in the words of this command: add NAME, add-range NAME RANGE and so on. Blank lines and lines that begin
    /// with # are left out. Paths with blanks go through the HTTP API.
    Load {
        /// The file; - is stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    #[command(flatten)]
    Edit(edit::Edit),
}

impl Nodemap {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let edits = match self.command {
            Command::List => return out.document(&api.nodemaps().await?, list),
            Command::Show { name, property } => {
                let map = api.nodemap(&name).await?;
                if let Some(property) = &property
                    && properties::of(&map, property).is_none()
                {
                    let known: Vec<&str> = properties::all(&map).into_iter().map(|(name, _)| name).collect();
                    return Err(Failure::Input {
                        what: format!("property {property:?}"),
                        why: format!("nodemaps have no such property; they have {}", known.join(", ")),
                    });
                }
                return out.document(&map, |map| properties::text(map, property.as_deref()));
            }
            Command::Test { nid, id, kind } => {
                let id = id.map(|id| (NodemapIdKind::from(kind), id));
                return out.document(&api.nodemap_test(&nid, id).await?, test);
            }
            Command::Load { file } => read(&file)?,
            Command::Edit(edit) => edit.edits(),
        };
        out.document(&api.nodemap_edit(&NodemapEdits { edits }, self.dry_run).await?, change::show)
    }
}

fn list(maps: &Nodemaps) -> String {
    let mut table = Table::new(&["NAME", "#ID", "#RANGES", "#BANNED", "#IDMAPS", "FILESET"]);
    for map in &maps.items {
        table.row([
            map.name.clone(),
            map.id.to_string(),
            map.ranges.to_string(),
            map.bans.to_string(),
            map.idmaps.to_string(),
            map.fileset.clone().unwrap_or_default(),
        ]);
    }
    let active = if maps.active { "active" } else { "not active" };
    format!("{}# nodemaps are {active}; version {}\n", table.render(), maps.version)
}

fn test(test: &NodemapTest) -> String {
    let mut text = test.nodemap.clone();
    if let Some(id) = test.id {
        text.push_str(&format!(" {id}"));
    }
    if test.banned {
        text.push_str(" banned");
    }
    if !test.active {
        text.push_str(" (nodemaps are not active)");
    }
    text + "\n"
}

fn read(file: &Path) -> Result<Vec<mgs_api::NodemapEdit>, Failure> {
    let (name, bytes) = param::read_input(Some(file))?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Failure::Input { what: name, why: "is not UTF-8 text".to_owned() });
    };
    let mut edits = Vec::new();
    let mut parser = edit::Parser::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let edit = parser
            .parse(line)
            .map_err(|why| Failure::Input { what: format!("{name}, line {number}"), why })?;
        edits.extend(edit);
    }
    Ok(edits)
}
