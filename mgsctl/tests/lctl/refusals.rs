//! Misuse: the words and exit codes that lctl has for it (`obd.c`, `mgs_barrier.c`, `nodemap_handler.c`), where no session has
//! recorded them.

use std::time::Duration;

use scenarios::daemon::Daemon;

use super::sessions::{disk, here_command};
use super::shell::Shell;

/// Lines, what they print, and their exit code.
type Lines = &'static [(&'static str, &'static str, i32)];

async fn play(lines: Lines) {
    let daemon = Daemon::start("10.77.0.2@tcp".parse().unwrap(), Duration::ZERO).await.unwrap();
    let disk = disk("B", "B00-mounted");
    here_command(&daemon.socket(), &["import", "--from", disk.path().to_str().unwrap()]);
    let shell = Shell::new(&daemon.socket());
    let mut wrong = Vec::new();
    for (line, printed, code) in lines {
        let got = tokio::task::block_in_place(|| shell.types(&format!("lctl {line}")));
        if got != ((*printed).to_owned(), *code) {
            wrong.push(format!("$ lctl {line}\n-- lctl: {code}\n{printed}-- front: {}\n{}", got.1, got.0));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(daemon.stop().await.unwrap(), [""; 0], "mgsd check");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodemaps() {
    play(&[
        ("nodemap_add", "nodemap_add: missing nodemap name\nusage: nodemap_add --name NODEMAP_NAME\n", 4),
        ("nodemap_add --name c0", "", 0),
        ("nodemap_add c0", "error: nodemap 'c0' already exists\nnodemap_add: Invalid argument\n", 1),
        ("nodemap_add a.b", "error: invalid ioctl: 000ce040 errno: 22: Invalid argument\nnodemap_add: Invalid argument\n", 1),
        ("nodemap_del nosuch", "error: nodemap 'nosuch' does not exist\nnodemap_del: Invalid argument\n", 1),
        ("nodemap_del default", "error: invalid ioctl: 000ce041 errno: 22: Invalid argument\nnodemap_del: Invalid argument\n", 1),
        ("nodemap_activate maybe", "error: invalid ioctl: 000ce048 errno: 22: Invalid argument\nnodemap_activate: Invalid argument\n", 1),
        ("nodemap_activate T", "", 0),
        ("nodemap_activate OFF", "", 0),
        ("nodemap_add_range --name c0", "nodemap_add_range: missing NID range\nusage: nodemap_add_range --name NODEMAP_NAME --range NID_RANGE\n", 4),
        ("nodemap_add_range --name c0 --range rubbish", "error: nodemap_xxx_range: can't parse nid range: rubbish\nusage: nodemap_add_range --name NODEMAP_NAME --range NID_RANGE\n", 4),
        ("nodemap_add_range --name c0 --range 10.0.0.[1,3]@tcp", "error: nodemap_xxx_range: nodemap ranges must be contiguous\nusage: nodemap_add_range --name NODEMAP_NAME --range NID_RANGE\n", 4),
        ("nodemap_add_range --name c0 --range 10.0.0.[1-9]@tcp", "", 0),
        ("nodemap_add_range --name nosuch --range 10.0.1.[1-9]@tcp", "error: invalid ioctl: 000ce042 errno: 2: No such file or directory\nnodemap_add_range: No such file or directory\n", 1),
        ("nodemap_del_range --name c0 --range 10.0.7.[1-9]@tcp", "error: invalid ioctl: 000ce043 errno: 22: Invalid argument\nnodemap_del_range: Invalid argument\n", 1),
        ("nodemap_add_idmap --name c0 --idtype xid --idmap 1:2", "nodemap_add_idmap: incorrect ID type, must be one of uid, gid, projid.\nusage: nodemap_add_idmap --name NODEMAP_NAME --idtype {uid|gid|projid} --idmap CLIENTID:FSID\n", 4),
        ("nodemap_add_idmap --name c0 --idtype uid --idmap 1", "error: invalid ioctl: 000ce044 errno: 22: Invalid argument\nnodemap_add_idmap: Invalid argument\n", 1),
        ("nodemap_modify --name c0 --property colour --value 1", "error: nodemap_modify: nodemap_modify invalid property: colour\nusage: nodemap_modify --name NODEMAP_NAME --property PROPERTY_NAME{=VALUE|--value VALUE}\n", 4),
        ("nodemap_modify --name c0 --property squash_uid --value 0", "error: nodemap_modify: cannot squash to ID 0 on nodemap 'c0': Invalid argument\nusage: nodemap_modify --name NODEMAP_NAME --property PROPERTY_NAME{=VALUE|--value VALUE}\n", 4),
        ("nodemap_modify --name nosuch --property admin=1", "error: invalid ioctl: 000ce049 errno: 2: No such file or directory\nerror: nodemap_modify: cannot modify nodemap 'nosuch' to param 'admin': value '1': No such file or directory\n", 2),
        ("nodemap_test_nid 10.0.0.3@tcp", "c0\n", 0),
        ("nodemap_test_nid --nid rubbish", "error: invalid ioctl: 000ce055 errno: 22: Invalid argument\nnodemap_test_nid: Invalid argument\n", 1),
        ("nodemap_test_id --nid 10.0.0.3@tcp --idtype xid --id 5", "error: invalid ioctl: 000ce056 errno: 22: Invalid argument\n", 22),
        ("nodemap_test_id --nid 10.0.0.3@tcp --idtype uid --id five", "error: invalid ioctl: 000ce056 errno: 22: Invalid argument\n", 22),
        ("nodemap_test_id --nid 10.0.0.3@tcp --idtype uid", "usage: nodemap_test_id --nid NID --idtype {uid|gid|projid} --id ID\n", 4),
        ("nodemap_info --name nosuch", "error: get_param: param_path 'nodemap/nosuch/*': No such file or directory\n", 2),
    ])
    .await;
}

/// Nobody is connected: there is no MDT to freeze.
#[tokio::test(flavor = "multi_thread")]
async fn barriers() {
    play(&[
        ("barrier_freeze", "usage: barrier_freeze FSNAME [TIMEOUT_SECONDS]\n", 4),
        (
            "barrier_freeze ninechars 30",
            "barrier_freeze: fsname name ninechars is too long. It should not exceed 8.\n",
            22,
        ),
        ("barrier_thaw ninechars", "fsname name ninechars is too long. It should not exceed 8.\n", 22),
        ("barrier_thaw testfs 30", "usage: barrier_thaw FSNAME\n", 4),
        ("barrier_stat", "usage: barrier_stat [--state|-s] [--timeout|-t] FSNAME\n", 4),
        ("barrier_stat testfs", "state: init\ntimeout: 0 seconds\n", 0),
        ("barrier_stat -s testfs", "init\n", 0),
        ("barrier_stat --timeout testfs", "0\n", 0),
        ("barrier_stat -s -t testfs", "state: init\ntimeout: 0 seconds\n", 0),
        ("barrier_freeze nosuch", "Fail to freeze barrier for nosuch: No such device\n", 19),
        ("barrier_rescan nosuch", "Fail to rescan barrier bitmap for nosuch: No such device\n", 19),
        ("barrier_thaw testfs", "Fail to thaw barrier for testfs: Operation already in progress\n", 114),
        // A kernel has ENOENT here, and ENODEV where an MDT was connected before.
        ("barrier_freeze testfs 5", "Fail to freeze barrier for testfs: No such device\n", 19),
        ("barrier_stat --state testfs", "failed\n", 0),
        // A kernel knows an 'init' of every word.
        ("barrier_stat nosuch", "Fail to query barrier for nosuch: No such file or directory\n", 2),
    ])
    .await;
}
