//! Completions and man pages, from the one definition of the command line.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::exit::Failure;

/// The completion script for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mgsctl", &mut script);
    script
}

/// Every man page: file name and roff text.
///
/// # Errors
/// None in practice: the pages are written to memory.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(command, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let subcommands: Vec<Command> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned().collect();
    let man = clap_mangen::Man::new(command).source("mgsd").manual("mgsctl");
    let mut page = Vec::new();
    man.render(&mut page)?;
    pages.push((man.get_filename(), page));
    subcommands.into_iter().try_for_each(|sub| add_pages(sub, pages))
}

pub(crate) fn write_man_pages(dir: &Path) -> Result<(), Failure> {
    let io = |what: &Path| {
        let what = what.display().to_string();
        move |source| Failure::Io { what, source }
    };
    for (name, page) in man_pages().map_err(io(dir))? {
        let path = dir.join(name);
        std::fs::write(&path, page).map_err(io(&path))?;
    }
    Ok(())
}
