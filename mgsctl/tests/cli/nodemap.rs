//! Nodemaps: what is shown is what the kernel shows, and files of changes.

use super::*;
use std::io::Write;

/// `nodemap.nm1.*` of stage B05f, but what differs for each run.
#[test]
fn show_prints_what_lctl_get_param_printed() {
    let golden = capture::states::session("B");
    let params = String::from_utf8(golden["B05f-nodemap-full/params.txt"].clone()).unwrap();
    let (mut theirs, mut ours) = (Vec::new(), false);
    for line in params.lines() {
        if line.contains('=') && line.contains('.') && !line.starts_with([' ', '{', '[']) {
            ours = line.starts_with("nodemap.nm1.");
        }
        if line.starts_with("==") {
            ours = false;
        }
        if ours {
            theirs.push(line.to_owned());
        }
    }
    assert!(theirs.len() > 40, "{params}");
    let daemon = Daemon::start(Fake::default());
    let Output { stdout, .. } = daemon.run(&["nodemap", "show", "nm1"]);
    let shown: Vec<String> = text(&stdout).lines().map(str::to_owned).collect();
    assert_eq!(shown, theirs);
    let Output { stdout, .. } = daemon.run(&["nodemap", "show", "nm1", "rbac"]);
    assert_eq!(text(&stdout), "nodemap.nm1.rbac=file_perms,dne_ops\n");
}

#[test]
fn a_file_of_changes_is_one_request() {
    let daemon = Daemon::start(Fake::default());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        file,
        "# two nodemaps\n\nadd nm1\nadd-range nm1 10.0.0.[1-9]@tcp fd00::/64@tcp\n  add nm2\nactivate on"
    )
    .unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let done = daemon.run(&["nodemap", "load", &path, "--dry-run"]);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
    for (line, says) in [
        ("add", "required arguments were not provided"),
        ("nosuch nm1", "unrecognized subcommand 'nosuch'"),
        ("set nm1 admin", "has no '='"),
        ("add-idmap nm1 pid 1:1", "invalid value 'pid'"),
        ("list", "unrecognized subcommand 'list'"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "add nm1\n{line}").unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let failed = daemon.run(&["nodemap", "load", &path]);
        let error = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{line}: {error}");
        assert!(error.contains(&format!("{path}, line 2: ")) && error.contains(says), "{line}: {error}");
    }
}
