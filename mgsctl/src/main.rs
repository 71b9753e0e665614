//! Command line for mgsd.

use std::process::ExitCode;

fn main() -> ExitCode {
    mgsctl::main()
}
