//! `llog`: look at configuration logs offline.
//!
//! Exit codes: 0 done; 1 refused, or something was found, with one line on stderr; 2 wrong usage.

use clap::{Parser, Subcommand, ValueEnum};
use llog::check::{self, Level};
use llog::{Log, diff, text};
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A log has at most 64767 records of at most 8192 bytes, and a header.
const LARGEST: u64 = 64_768 * 8192;

/// Look at Lustre configuration logs: files from the directory CONFIGS of a management target, or exported ones.
#[derive(Parser)]
#[command(name = "llog", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the records that a reader executes, as `lctl llog_print` does
    Print {
        /// Form: yaml as lctl llog_print, reader as llog_reader (always raw, times in UTC)
        #[arg(long, value_enum, default_value_t = Format::Yaml)]
        format: Format,
        /// Everything live: markers, skipped sections, records outside of sections
        #[arg(long, short)]
        raw: bool,
        /// First index to print
        #[arg(long, value_name = "N")]
        start: Option<u32>,
        /// Last index to print
        #[arg(long, value_name = "N")]
        end: Option<u32>,
        /// Log file
        file: PathBuf,
    },
    /// Check structure and meaning; a line per finding. Warnings alone are no failure
    Check {
        /// Log files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print everything in the file as JSON, padding and cancelled records included
    Json {
        /// Log file
        file: PathBuf,
    },
    /// Compare two logs record by record; exit code 1 when they differ
    Diff {
        /// First log file
        a: PathBuf,
        /// Second log file
        b: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Yaml,
    Reader,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = run(args.command, &mut out).and_then(|()| out.flush().map_err(Stop::Output));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output went away: it has seen enough.
        Err(Stop::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(stop) => {
            // Findings first, then the line that sums them up.
            let _ = out.flush();
            let _ = writeln!(io::stderr(), "llog: {stop}");
            ExitCode::from(1)
        }
    }
}

/// Why we end with exit code 1.
enum Stop {
    /// Standard output cannot be written.
    Output(io::Error),
    /// An input was refused, or something was found.
    Refused(String),
}

impl Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Output(e) => write!(f, "cannot write to standard output: {e}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Output(e)
    }
}

fn run(command: Command, out: &mut impl Write) -> Result<(), Stop> {
    match command {
        Command::Print { format, raw, start, end, file } => {
            let log = load(&file)?;
            let range = text::range(start, end);
            let printed = match format {
                Format::Yaml => text::yaml(&log, raw, &range),
                Format::Reader => text::reader(&log, &range),
            };
            out.write_all(printed.as_bytes())?;
            Ok(())
        }
        Command::Json { file } => {
            let value = text::json(&load(&file)?, &text::range(None, None));
            writeln!(out, "{value:#}")?;
            Ok(())
        }
        Command::Check { files } => check_files(&files, out),
        Command::Diff { a, b } => {
            let found = diff::diff(&load(&a)?, &load(&b)?);
            for difference in &found {
                writeln!(out, "{difference}")?;
            }
            if found.is_empty() {
                return Ok(());
            }
            let why = format!("{} and {} differ: {} differences", a.display(), b.display(), found.len());
            Err(Stop::Refused(why))
        }
    }
}

fn check_files(files: &[PathBuf], out: &mut impl Write) -> Result<(), Stop> {
    let (mut errors, mut bad) = (0, 0);
    for path in files {
        let findings = check::file(&read(path)?);
        for finding in &findings {
            writeln!(out, "{}: {finding}", path.display())?;
        }
        let here = findings.iter().filter(|f| f.level == Level::Error).count();
        if findings.is_empty() {
            writeln!(out, "{}: ok", path.display())?;
        }
        errors += here;
        bad += usize::from(here > 0);
    }
    if errors == 0 {
        return Ok(());
    }
    Err(Stop::Refused(format!("{errors} errors in {bad} of {} files", files.len())))
}

fn load(path: &Path) -> Result<Log, Stop> {
    Log::from_file(&read(path)?).map_err(|e| refused(path, &e))
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    let size = std::fs::metadata(path).map_err(|e| refused(path, &e))?.len();
    if size > LARGEST {
        return Err(refused(path, &format!("{size} bytes is more than a configuration log can have")));
    }
    std::fs::read(path).map_err(|e| refused(path, &e))
}

fn refused(path: &Path, why: &impl Display) -> Stop {
    Stop::Refused(format!("{}: {why}", path.display()))
}
