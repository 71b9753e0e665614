//! What an MGS can be told by `set_param`, and what it then shows.

use std::time::Duration;

use scenarios::daemon::Daemon;

use super::recorded::{self, normal};
use super::sessions::{disk, here_command};
use super::shell::Shell;

/// The stage whose second half is not typed at `lctl`.
pub(crate) const ECHOED: &str = "E10-mgs-readonly-ops";

async fn site(session: &str, stage: &str) -> (Daemon, Shell) {
    let daemon = Daemon::start("10.77.0.2@tcp".parse().unwrap(), Duration::from_secs(400)).await.unwrap();
    let disk = disk(session, stage);
    here_command(&daemon.socket(), &["import", "--from", disk.path().to_str().unwrap()]);
    let shell = Shell::new(&daemon.socket());
    (daemon, shell)
}

fn types(shell: &Shell, line: &str) -> (String, i32) {
    tokio::task::block_in_place(|| shell.types(line))
}

fn state(shell: &Shell) -> String {
    let (text, code) = types(shell, "lctl get_param -n mgs.MGS.live.testfs");
    assert_eq!(code, 0, "{text}");
    text.lines().find_map(|line| line.strip_prefix("    state: ")).unwrap().to_owned()
}

/// In E10 eight words were echoed into the file of `live`, and it was read before and after.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_echoed_into_live_is_taken_by_set_param() {
    let (daemon, shell) = site("E", "E03c-moved-target").await;
    let printed = recorded::session("E").into_iter().find(|typed| typed.stage == ECHOED).unwrap().printed;
    let written: Vec<(&str, bool)> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("write ")?.rsplit_once(" rc="))
        .map(|(word, code)| (word, code == "0"))
        .collect();
    assert_eq!(written.len(), 8);
    for (word, taken) in written {
        let (said, code) = types(&shell, &format!("lctl set_param mgs.MGS.live.testfs={word}"));
        assert_eq!(code, if taken { 0 } else { 22 }, "{word}: {said}");
        if taken {
            assert_eq!(said, format!("mgs.MGS.live.testfs={word}\n"));
        }
    }
    // As a kernel shows it afterwards: nobody is connected here, and so nobody was ever told.
    let after = printed.rsplit("fsname: testfs\n").next().unwrap();
    let (ours, _) = types(&shell, "lctl get_param -n mgs.MGS.live.testfs");
    let recovery = |text: &str| normal(text.split("imperative_recovery_state:\n").nth(1).unwrap());
    assert_eq!(recovery(&ours), recovery(after).lines().take(6).collect::<Vec<_>>().join("\n"));
    assert!(recovery(&ours).contains("state: disabled"), "{ours}");
    let (_, code) = types(&shell, "lctl set_param 'mgs.MGS.live.testfs=state=full;0'");
    assert_eq!((code, state(&shell).as_str()), (0, "startup"));
    assert_eq!(types(&shell, "lctl set_param mgs.MGS.live.nofs=0").1, 2);
    drop(daemon.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn ir_timeout_is_read_and_written_until_the_next_start() {
    let (daemon, shell) = site("B", "B00-mounted").await;
    let read = |value: &str| {
        assert_eq!(
            types(&shell, "lctl get_param mgs.MGS.ir_timeout"),
            (format!("mgs.MGS.ir_timeout={value}\n"), 0)
        )
    };
    read("400");
    assert_eq!(state(&shell), "startup");
    for wrong in ["-1", "30s", "18446744073709551616"] {
        assert_eq!(types(&shell, &format!("lctl set_param mgs.MGS.ir_timeout={wrong}")).1, 22, "{wrong}");
    }
    read("400");
    assert_eq!(
        types(&shell, "lctl set_param mgs.MGS.ir_timeout=0"),
        ("mgs.MGS.ir_timeout=0\n".to_owned(), 0)
    );
    read("0");
    assert_eq!(state(&shell), "full");
    // No number of seconds is too many.
    assert_eq!(
        types(&shell, "lctl set_param -n mgs.MGS.ir_timeout=18446744073709551615"),
        (String::new(), 0)
    );
    assert_eq!(state(&shell), "startup");
    let dry = here_command(&daemon.socket(), &["fs", "startup", "0", "--dry-run"]);
    assert!(dry.contains("nothing was changed") && state(&shell) == "startup", "{dry}");
    let daemon = daemon.pause().await.unwrap().start().await.unwrap();
    read("400");
    drop(daemon.stop().await.unwrap());
}

/// The text around the rules is recorded; a kernel without GSS has none to show between.
#[tokio::test(flavor = "multi_thread")]
async fn security_rules_are_shown_where_a_kernel_shows_them() {
    let (daemon, shell) = site("B", "B00-mounted").await;
    let before = types(&shell, "lctl get_param mgs.MGS.live.testfs").0;
    assert_eq!(types(&shell, "lctl get_param mgs.MGS.srpc_rules").0, "mgs.MGS.srpc_rules=\n");
    for rule in [
        "testfs.srpc.flavor.default=plain",
        "testfs.srpc.flavor.tcp.cli2mdt=skpi",
        "testfs-OST0001.srpc.flavor.default=ska",
        "testfs-OST0000.srpc.flavor.o2ib1=krb5p",
        "_mgs.srpc.flavor.default=null",
    ] {
        assert_eq!(types(&shell, &format!("lctl conf_param {rule}")), (String::new(), 0), "{rule}");
    }
    let after = types(&shell, "lctl get_param mgs.MGS.live.testfs").0;
    let rules = "testfs-OST0000.srpc.flavor.o2ib1=krb5p\ntestfs-OST0001.srpc.flavor.default=ska\n\
                 testfs.srpc.flavor.tcp.cli2mdt=skpi\ntestfs.srpc.flavor.default=plain-hash:adler32\n";
    let head = "Secure RPC Config Rules:\n";
    let counted = |text: &str| {
        text.lines().filter(|line| !line.starts_with("flags: ")).map(|l| format!("{l}\n")).collect::<String>()
    };
    assert_eq!(counted(&after), counted(&before.replace(head, &format!("{head}{rules}"))));
    // A rule of the MGS that says null is what holds in any case: it is taken, and not kept.
    assert_eq!(types(&shell, "lctl get_param mgs.MGS.srpc_rules").0, "mgs.MGS.srpc_rules=\n");
    types(&shell, "lctl conf_param -d testfs.srpc.flavor.tcp.cli2mdt");
    assert!(!types(&shell, "lctl get_param mgs.MGS.live.testfs").0.contains("skpi"));
    drop(daemon.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_finds_health_and_locks() {
    let (daemon, shell) = site("B", "B00-mounted").await;
    for (what, shown) in [
        ("health_check", "health_check=healthy\n"),
        ("ldlm.namespaces.MGS.lock_count", "ldlm.namespaces.MGS.lock_count=0\n"),
        ("ldlm.namespaces.*.resource_count", "ldlm.namespaces.MGS.resource_count=0\n"),
        ("-n mgs.MGS.filesystems", "testfs\n"),
    ] {
        assert_eq!(types(&shell, &format!("lctl get_param {what}")), (shown.to_owned(), 0), "{what}");
    }
    drop(daemon.stop().await.unwrap());
}
