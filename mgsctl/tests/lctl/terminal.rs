//! A person at a terminal: what a command says on stderr when that is one.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The two ends of a pseudo-terminal: ours, and that of the command.
fn pair() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(ours), theirs)
}

/// What `mgsctl lctl ARGS` writes to a terminal that is its stderr, and its exit code.
pub(crate) fn says(socket: &Path, args: &[&str]) -> (Vec<String>, i32) {
    let (mut ours, theirs) = pair();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mgsctl"));
    command.arg("lctl").args(args).env("MGSD_API", format!("unix:{}", socket.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(OwnedFd::from(theirs)));
    let mut child = command.spawn().unwrap();
    // It holds the end of the command open, too.
    drop(command);
    let (mut text, mut block) = (Vec::new(), [0; 4096]);
    // Its last holder gone, a terminal gives EIO.
    while let Ok(len @ 1..) = ours.read(&mut block) {
        text.extend_from_slice(&block[..len]);
    }
    let code = child.wait().unwrap().code().unwrap();
    (String::from_utf8(text).unwrap().lines().map(str::to_owned).collect(), code)
}
