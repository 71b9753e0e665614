//! A shell on the node of an MGS, whose `lctl` is the front.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Commands that the recorded lines call; what they print is not compared.
const SILENT: [&str; 2] = ["dmesg", "sleep"];

pub(crate) struct Shell {
    dir: tempfile::TempDir,
    api: String,
}

impl Shell {
    /// With the daemon that listens at `socket`.
    pub(crate) fn new(socket: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        write("lctl", format!("#!/bin/sh\nexec {} lctl \"$@\"\n", env!("CARGO_BIN_EXE_mgsctl")));
        for name in SILENT {
            write(name, "#!/bin/sh\n".to_owned());
        }
        Self { dir, api: format!("unix:{}", socket.display()) }
    }

    /// Types a line; gives what it prints, stdout and stderr in one, and its exit code.
    pub(crate) fn types(&self, line: &str) -> (String, i32) {
        let line = line.replace("/tmp/", &format!("{}/", self.dir.path().display()));
        let path = format!("{}:/usr/bin:/bin", self.dir.path().display());
        let mut shell = Command::new("/bin/bash");
        shell.args(["-c", &format!("exec 2>&1; {line}")]).current_dir(self.dir.path()).stdin(Stdio::null());
        let out = shell.env("PATH", path).env("MGSD_API", &self.api).output().unwrap();
        (String::from_utf8(out.stdout).unwrap(), out.status.code().unwrap())
    }
}
