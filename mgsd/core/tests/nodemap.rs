//! Nodemaps: the editing commands of a kernel MGS, and what servers read of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod harness;
mod nodemaps;

use capture::states;
use harness::Mgs;
use mgs_core::Errno;
use mgs_core::model::nodemap::index;
use nodemaps::{Server, edits, entries, order};
use wire::nodemap::{Entry, IndexPage};

/// Commands of session B, stage by stage (`golden/B/ops.log`, B05a to B05g).
const B05A: &str = "add nm1";
const B05B: &str = "add_range nm1 10.77.0.[4-6]@tcp";
const B05C: &str = "modify nm1 admin=1
modify nm1 trusted=1
modify nm1 deny_unknown=1
modify nm1 squash_uid=99
modify nm1 squash_gid=99
modify nm1 squash_projid=99
modify nm1 audit_mode=0
modify nm1 forbid_encryption=1
modify nm1 map_mode=uid
modify nm1 rbac=file_perms,dne_ops
modify nm1 readonly_mount=1
modify nm1 readonly_mount=0";
const B05D: &str = "add_idmap nm1 uid 500:1000
add_idmap nm1 gid 501:1001
add_idmap nm1 projid 5:10";
const B05E: &str = "fileset_add nm1 /sub
fileset_add_alt nm1 /sub2
set_sepol nm1 1:mls:31:40afb76d077c441b69af58cccaaa2ca63641ed6e21b0a887dc21a684f508b78f
banlist_add nm1 10.77.0.6@tcp
set_cap nm1 mask:cap_chown
add nm2
add_offset nm2 100000+65536";
const B05F: &str = "activate 1";
const B05G: &str = "activate 0
del_idmap nm1 uid 500:1000
del_range nm1 10.77.0.[4-6]@tcp
del nm1
del nm2";

/// Bulks of nodemap reads in the capture of a session.
fn recorded(session: &str) -> Vec<Vec<Entry>> {
    let path = capture::vectors_dir().join(format!("captures/{session}/{session}-session.pcap.gz"));
    let all = capture::lnet::messages(&capture::load(&path).unwrap()).unwrap();
    let pages = all
        .iter()
        .filter_map(|m| IndexPage::decode(&mut wire::Reader::new(&m.payload, wire::Order::Little)).ok());
    let mut seen: Vec<Vec<Entry>> = pages.map(|page| page.entries).collect();
    seen.dedup();
    seen
}

/// Entries of an index file as ldiskfs keeps them, in the order of their keys: one leaf (mgs/11).
fn leaf(file: &[u8]) -> Vec<Entry> {
    let leaf = &file[4096..];
    let count = usize::from(u16::from_le_bytes([leaf[2], leaf[3]]));
    let entry =
        |bytes: &[u8]| Entry { key: bytes[..8].try_into().unwrap(), rec: bytes[8..40].try_into().unwrap() };
    leaf[4..].chunks(40).take(count).map(entry).collect()
}

#[test]
fn the_commands_of_session_b_give_the_pages_that_the_kernel_served() {
    let mut mgs = Mgs::new();
    let mut server = Server::new(&mut mgs);
    let mut ours = vec![server.all(&mut mgs)];
    for stage in [B05A, B05B, B05C, B05D, B05E, B05F, B05G] {
        for line in stage.lines() {
            order(&mut mgs, line).unwrap();
        }
        ours.push(server.all(&mut mgs));
    }
    let recorded = recorded("B");
    assert!(recorded.len() > 4, "{}", recorded.len());
    // Servers read some seconds after the first change of a burst: not every state was seen.
    let mut states = ours.iter();
    for page in &recorded {
        let lines: Vec<String> = page.iter().map(index::line).collect();
        assert!(states.any(|state| state == page), "no stage, or not in this order:\n{}", lines.join("\n"));
    }
}

#[test]
fn the_commands_of_session_b_leave_the_index_that_the_kernel_left() {
    let golden = states::session("B");
    let mut mgs = Mgs::new();
    let mut stages = 0;
    for (stage, commands) in [
        ("B00-mounted", ""),
        ("B05a-nodemap-add", B05A),
        ("", B05B),
        ("", B05C),
        ("", B05D),
        ("", B05E),
        ("B05f-nodemap-full", B05F),
        ("B05g-nodemap-deleted", B05G),
        ("B11-mgs-crash-restarted", ""),
    ] {
        order(&mut mgs, commands).unwrap();
        let Some(file) = golden.get(&format!("{stage}/CONFIGS/nodemap")) else { continue };
        stages += 1;
        let mut theirs = leaf(file);
        assert_eq!(theirs.remove(0), Entry { key: [0; 8], rec: [0; 32] }, "{stage}: the blank record");
        let mut ours = entries(&mgs);
        ours.sort_by_key(|e| e.key);
        assert_eq!(ours, theirs, "{stage}");
        // And back: what an import makes of it.
        let (active, maps) = index::parse(&leaf(file)).unwrap();
        let known = &mgs.engine.view().nodemaps;
        assert_eq!(active, known.head.active, "{stage}");
        for (name, map) in known.iter() {
            let mut map = map.clone();
            map.sepol.clear(); // not in the index
            assert_eq!(maps.get(name), Some(&map), "{stage}: {name}");
        }
        assert_eq!(maps.len(), known.len(), "{stage}");
    }
    assert_eq!(stages, 5);
}

/// The rest: order, what came of it.
fn refused(mgs: &mut Mgs, line: &str, errno: Errno, says: &str) {
    let before = mgs.store.clone();
    let error = order(mgs, line).expect_err(line);
    assert_eq!(error.errno(), errno, "{line}: {error}");
    assert!(error.to_string().contains(says), "{line}: {error}");
    assert_eq!(mgs.store, before, "{line}");
}

#[test]
fn misuse_has_the_errno_of_the_kernel_and_says_what_is_allowed() {
    let mut mgs = Mgs::new();
    let setup = "add nm1
add nm2
add_range nm1 10.0.0.[1-9]@tcp
add_range nm1 fd00:1::/64@tcp
add_idmap nm1 uid 500:1000
add_idmap nm1 uid 501:1001
add_offset nm1 100000+65536
fileset_add nm1 /a
fileset_add_alt nm1 /b
add gss
modify gss gssonly_identification=1";
    order(&mut mgs, setup).unwrap();
    for (line, errno, says) in [
        ("add nm1", Errno::EEXIST, "nodemap 'nm1': exists already"),
        ("add default", Errno::EEXIST, "exists already"),
        ("add seventeen_letters", Errno::ENAMETOOLONG, "1 to 16 letters"),
        ("del seventeen_letters", Errno::EINVAL, "1 to 16 letters"),
        ("add not-a-name", Errno::EINVAL, "letters, digits or '_'"),
        ("add parent/child", Errno::EINVAL, "letters, digits or '_'"),
        ("del nm3", Errno::ENOENT, "see 'mgsctl nodemap list'"),
        ("del default", Errno::EINVAL, "cannot be deleted"),
        ("modify nm3 admin=1", Errno::ENOENT, "does not exist"),
        ("modify nm1 admin=maybe", Errno::EINVAL, "allowed: 1 or 0"),
        ("modify nm1 squash_uid=0", Errno::EINVAL, "not 0"),
        ("modify nm1 squash_gid=x", Errno::EINVAL, "a number"),
        ("modify nm1 squash_uid=4294967296", Errno::EINVAL, "a number"),
        ("modify nm1 map_mode=uid,x", Errno::EINVAL, "allowed: all, both"),
        ("modify nm1 map_mode=", Errno::EINVAL, "allowed: all, both"),
        ("modify nm1 rbac=nosuch", Errno::EINVAL, "file_perms"),
        ("modify default rbac=file_perms,local_admin", Errno::EINVAL, "local_admin"),
        ("modify nm1 child_raise_privileges=x", Errno::EINVAL, "child_raise_privs"),
        ("modify nm1 nosuch=1", Errno::EINVAL, "properties: admin, trusted"),
        ("modify default gssonly_identification=1", Errno::EINVAL, "has no GSS"),
        ("modify nm1 gssonly_identification=1", Errno::EPERM, "2 ranges of NIDs"),
        ("add_range gss 10.1.0.1@tcp", Errno::EPERM, "by GSS, not by NID"),
        ("add_range default 10.1.0.1@tcp", Errno::EINVAL, "has no ranges"),
        ("add_range nm2 10.0.0.5@tcp", Errno::EEXIST, "range of nodemap 'nm1'"),
        ("add_range nm2 10.0.0.[9-20]@tcp", Errno::EEXIST, "range of nodemap 'nm1'"),
        ("add_range nm2 10.0.0.0/24@tcp", Errno::EEXIST, "range of nodemap 'nm1'"),
        ("add_range nm2 *@tcp", Errno::EEXIST, "range of nodemap 'nm1'"),
        ("add_range nm2 fd00:1::7@tcp", Errno::EEXIST, "range of nodemap 'nm1'"),
        ("add_range nm2 fd00::/16@tcp", Errno::EEXIST, "range of nodemap 'nm1'"),
        ("add_range nm2 10.0.0.[1-2].[1-2]@tcp", Errno::EINVAL, "10.0.0.[4-6]@tcp"),
        ("add_range nm2 10.0.[1-2].[1-2]@tcp", Errno::EINVAL, "one range for each row"),
        ("del_range nm1 10.0.0.[1-8]@tcp", Errno::EINVAL, "name one exactly"),
        ("del_range nm2 10.0.0.[1-9]@tcp", Errno::EINVAL, "has no range"),
        ("banlist_add nm1 10.0.0.[9-10]@tcp", Errno::EINVAL, "within one range of nodemap 'nm1'"),
        ("banlist_add nm2 10.0.0.9@tcp", Errno::EINVAL, "within one range of nodemap 'nm2'"),
        ("banlist_add default 10.0.0.9@tcp", Errno::EINVAL, "ban them in nodemap 'nm1'"),
        ("banlist_del nm1 10.0.0.9@tcp", Errno::EINVAL, "has no banned range"),
        ("add_idmap nm1 uid 500:1001", Errno::EEXIST, "mapped already"),
        ("add_idmap nm1 uid 500:1000", Errno::EEXIST, "mapped already"),
        ("add_idmap default uid 1:1", Errno::EINVAL, "has no id maps"),
        ("add_idmap nm1 uid 1-3:1-2", Errno::EINVAL, "different lengths"),
        ("add_idmap nm1 uid 3-1:1", Errno::ERANGE, "ends before"),
        ("add_idmap nm1 uid 0-9:4294967290", Errno::ERANGE, "above the largest id"),
        ("add_idmap nm1 uid 0-4294967295:0", Errno::ERANGE, "longer than"),
        ("add_idmap nm1 uid 1", Errno::EINVAL, "500:1000"),
        ("add_idmap nm1 uid -1:1", Errno::EINVAL, "500:1000"),
        ("del_idmap nm1 uid 7:8", Errno::EINVAL, "does not map uid 7"),
        ("del_idmap nm1 uid 500:7", Errno::EINVAL, "does not map uid 500 to 7"),
        ("add_offset nm1 200000+65536", Errno::ERANGE, "has an offset already"),
        ("add_offset nm2 165535+65536", Errno::ERANGE, "ids of nodemap 'nm1'"),
        ("add_offset nm2 0+65536", Errno::EINVAL, "neither is 0"),
        ("add_offset nm2 4294901759+65536", Errno::EINVAL, "below 4294967295"),
        ("add_offset default 200000+65536", Errno::EINVAL, "has no offset"),
        ("add_offset nm3 200000+65536", Errno::ENOENT, "does not exist"),
        ("del_offset nm2", Errno::ENOENT, "has no offset"),
        ("fileset_add nm1 /c", Errno::EEXIST, "primary fileset '/a' already"),
        ("fileset_add_alt nm1 /a", Errno::EEXIST, "fileset '/a' already"),
        ("fileset_add nm1 b", Errno::EINVAL, "begins with '/'"),
        ("fileset_del nm1 /c", Errno::ENOENT, "no fileset '/c'"),
        ("fileset_modify nm1 /c ro", Errno::ENOENT, "no fileset '/c'"),
        ("fileset_modify nm1 /a /b", Errno::EEXIST, "fileset '/b' already"),
        ("fileset_modify nm1 /b primary", Errno::EEXIST, "primary fileset '/a' already"),
        ("set_fileset nm1 sub", Errno::EINVAL, "begins with '/'"),
        ("set_sepol nm1 2:mls:31:abc", Errno::EINVAL, "MODE:NAME:VERSION:HASH"),
        ("set_sepol default 1:mls:31:abc", Errno::EINVAL, "has no SELinux"),
        ("set_cap nm1 some:cap_chown", Errno::EINVAL, "off, mask, set"),
        ("set_cap nm1 mask:cap_nosuch", Errno::EINVAL, "cap_chown"),
    ] {
        refused(&mut mgs, line, errno, says);
    }
    // In a batch it says which, and nothing of the batch is done.
    refused(&mut mgs, "add nm9\nadd nm1", Errno::EEXIST, "edit 2, nodemap 'nm1'");
    let long = format!("fileset_add nm2 /{}", "x".repeat(4096));
    refused(&mut mgs, &long, Errno::ENAMETOOLONG, "at most 4095");
}

#[test]
fn what_belongs_to_a_nodemap_goes_with_it_and_can_be_had_by_another() {
    let mut mgs = Mgs::new();
    let untouched = entries(&mgs);
    let all = "add_range NM 10.0.0.[1-9]@tcp
add_range NM fd00:1::/64@tcp
banlist_add NM 10.0.0.3@tcp
banlist_add ? 10.0.0.5@tcp
add_idmap NM uid 500-599:1000
add_offset NM 100000+65536
fileset_add NM /a/path/that/takes/more/than/one/record/of/twenty-eight/bytes ro
fileset_add_alt NM /b
modify NM rbac=none
set_cap NM set:cap_chown,cap_fowner";
    order(&mut mgs, &format!("add nm1\n{}", all.replace("NM", "nm1"))).unwrap();
    let first = entries(&mgs);
    order(&mut mgs, "del nm1").unwrap();
    assert_eq!(entries(&mgs), untouched);
    assert_eq!(mgs.engine.view().logs.keys().collect::<Vec<_>>(), ["params"], "no log of its own");
    // An id is never used again.
    order(&mut mgs, &format!("add nm2\n{}", all.replace("NM", "nm2"))).unwrap();
    assert_eq!(entries(&mgs).len(), first.len());
    assert_eq!(mgs.engine.view().nodemaps.get("nm2").unwrap().id, 2);
    // A range takes its bans along.
    order(&mut mgs, "del_range nm2 10.0.0.[1-9]@tcp").unwrap();
    let map = mgs.engine.view().nodemaps.get("nm2").unwrap();
    assert_eq!((map.ranges.len(), map.bans.len()), (1, 0));
    order(&mut mgs, "add_range nm2 10.0.0.0/16@tcp").unwrap();
    // All of it is in the store.
    let again = mgs.restarted();
    assert_eq!(entries(&again), entries(&mgs));
    assert_eq!(again.engine.view().nodemaps.head, mgs.engine.view().nodemaps.head);
}

#[test]
fn a_new_nodemap_begins_as_the_default_one_is() {
    let mut mgs = Mgs::new();
    order(&mut mgs, "modify default trusted=1\nmodify default rbac=dne_ops\nmodify default squash_uid=7")
        .unwrap();
    order(&mut mgs, "set_cap default mask:cap_chown\nfileset_add default /shared\nadd nm1").unwrap();
    let maps = &mgs.engine.view().nodemaps;
    let (default, new) = (maps.get("default").unwrap(), maps.get("nm1").unwrap());
    assert_eq!(
        (new.flags, new.squash, new.roles, new.caps),
        (default.flags, default.squash, default.roles, default.caps)
    );
    assert!(new.filesets.is_empty());
}

#[test]
fn whose_a_nid_is_and_what_becomes_of_an_id() {
    use wire::nodemap::IdKind::{Gid, Projid, Uid};
    let mut mgs = Mgs::new();
    let lines = "add plain
add_range plain 10.0.0.[1-9]@tcp
banlist_add plain 10.0.0.9@tcp
add_idmap plain uid 500:1000
modify plain squash_uid=99
add trusted
add_range trusted fd00::/64@tcp
modify trusted trusted=1
add shifted
add_range shifted 10.1.0.0/16@tcp
add_offset shifted 100000+1000
add_idmap shifted gid 5:50
modify shifted squash_gid=70000
add root
add_range root *@o2ib
modify root admin=1
modify root map_mode=uid";
    order(&mut mgs, lines).unwrap();
    let maps = &mgs.engine.view().nodemaps;
    let whose = |nid: &str| {
        let (name, _, banned) = maps.classify(&nid.parse().unwrap());
        (name.to_owned(), banned)
    };
    for (nid, name, banned) in [
        ("10.0.0.1@tcp", "plain", false),
        ("10.0.0.9@tcp", "plain", true),
        ("10.0.0.10@tcp", "default", false),
        ("10.0.0.1@tcp1", "default", false),
        ("fd00::9@tcp", "trusted", false),
        ("fd00:1::9@tcp", "default", false),
        ("10.1.255.255@tcp", "shifted", false),
        ("10.77.0.1@o2ib", "root", false),
    ] {
        assert_eq!(whose(nid), (name.to_owned(), banned), "{nid}");
    }
    for (name, kind, client, fs) in [
        ("plain", Uid, 500, 1000),
        ("plain", Uid, 501, 99),
        ("plain", Uid, 0, 99),
        ("plain", Gid, 500, 65534),
        ("trusted", Uid, 501, 501),
        ("trusted", Uid, 0, 65534),
        ("shifted", Gid, 5, 100_050),
        ("shifted", Gid, 6, 70_000),
        ("shifted", Uid, 6, 65_534),
        ("root", Uid, 0, 0),
        ("root", Gid, 8, 8),
        ("root", Projid, 0, 0),
        ("default", Uid, 8, 65534),
    ] {
        assert_eq!(maps.get(name).unwrap().map_id(kind, client), fs, "{name} {kind:?} {client}");
    }
}

#[test]
fn a_batch_is_one_commit_and_servers_are_told_once() {
    let mut mgs = Mgs::new();
    let mut server = Server::new(&mut mgs);
    server.lock(&mut mgs);
    let commits = mgs.commits;
    let batch: String = (0..320)
        .map(|n| format!("add nm{n}\nadd_range nm{n} 10.{}.{}.0/24@tcp\n", n / 256, n % 256))
        .collect();
    let done = order(&mut mgs, &batch).unwrap();
    assert_eq!(mgs.commits, commits + 1);
    assert_eq!(done.notified.iter().map(ToString::to_string).collect::<Vec<_>>(), ["nodemap/nodemap"]);
    assert_eq!(server.callbacks(&mgs), 1);
    assert_eq!(server.all(&mut mgs), entries(&mgs));
    assert_eq!(entries(&mgs).len(), 2 + 2 * 320);
    let told = serde_json::to_string(&done.events).unwrap();
    assert!(told.contains("\"more\":576"), "{told}");
    server.lock(&mut mgs);
    let gone: String = (0..320).map(|n| format!("del nm{n}\n")).collect();
    order(&mut mgs, &gone).unwrap();
    assert_eq!((mgs.commits, server.callbacks(&mgs)), (commits + 2, 2));
    assert_eq!(server.all(&mut mgs).len(), 2);
    // What changes nothing, or nothing that servers read, does not wake them.
    server.lock(&mut mgs);
    order(&mut mgs, "add quiet").unwrap();
    server.lock(&mut mgs);
    let calls = server.callbacks(&mgs);
    order(&mut mgs, "activate 0\nmodify quiet admin=0").unwrap();
    assert_eq!(mgs.commits, commits + 3);
    let done = order(&mut mgs, "set_sepol quiet 1:mls:31:abc").unwrap();
    assert!(done.warnings[0].contains("nodemap.quiet.sepol"), "{:?}", done.warnings);
    assert_eq!((mgs.commits, server.callbacks(&mgs)), (commits + 4, calls));
}

#[test]
fn a_dry_run_shows_the_records_and_changes_nothing() {
    let mut mgs = Mgs::new();
    let store = mgs.store.clone();
    let ticket = mgs.give(edits("add nm1\nadd_range nm1 10.0.0.[1-9]@tcp\nactivate 1").into(), true);
    let done = mgs.done.remove(&ticket).unwrap().unwrap();
    assert_eq!(mgs.store, store);
    let lines = &done.logs[0].appended;
    assert_eq!(done.logs[0].log, "nodemap");
    assert!(lines.contains(&"set nodemap 1 range 1 10.0.0.1@tcp:10.0.0.9@tcp".to_owned()), "{lines:?}");
    assert!(lines.contains(&"set active 1".to_owned()), "{lines:?}");
}

#[test]
fn a_reader_is_told_to_begin_again_when_all_has_changed() {
    let mut mgs = Mgs::new();
    let batch: String = (0..400).map(|n| format!("add nm{n}\n")).collect();
    order(&mut mgs, &batch).unwrap();
    let mut server = Server::new(&mut mgs);
    for (bits, units) in [(12, 1), (12, 3), (13, 1), (16, 1), (12, 256)] {
        (server.ask.bits, server.ask.units) = (bits, units);
        assert_eq!(server.all(&mut mgs), entries(&mgs), "{units} pages of 2^{bits}");
    }
    (server.ask.bits, server.ask.units, server.ask.offset, server.ask.nid_size_or_pass) = (12, 1, 0, 0);
    assert!(server.part(&mut mgs).is_some());
    let middle = server.ask.clone();
    order(&mut mgs, "add one_more").unwrap();
    assert_eq!(server.part(&mut mgs), None);
    assert_eq!(server.all(&mut mgs), entries(&mgs));
    // Attributes alone, as somebody may ask.
    (server.ask.offset, server.ask.nid_size_or_pass) = (0, 1);
    assert_eq!(server.part(&mut mgs).unwrap().len(), 1);
    // Another daemon, or this one started again, remembers nobody.
    let mut again = mgs.restarted();
    let mut server = Server::new(&mut again);
    server.ask = middle;
    assert_eq!(server.part(&mut again), None);
    // A place that does not exist.
    server.all(&mut again);
    server.ask.offset = 4000;
    assert_eq!(server.status(&mut again), Errno::EINVAL.status());
}

#[test]
fn the_index_is_in_the_order_of_its_keys() {
    let mut mgs = Mgs::new();
    let many: String =
        (0..600).map(|n| format!("add n{n}\nadd_range n{n} 10.0.{}.{}@tcp\n", n / 250, n % 250)).collect();
    order(&mut mgs, &many).unwrap();
    order(&mut mgs, "modify default rbac=dne_ops\nfileset_add default /x\nset_cap n255 set:all\nactivate 1")
        .unwrap();
    let ours = entries(&mgs);
    let mut sorted = ours.clone();
    wire::nodemap::sort_for_delivery(&mut sorted);
    assert!(ours == sorted);
    assert_eq!(ours.len(), 1 + 2 * 600 + 2 + 2 + 1);
}

#[test]
fn long_lists_lie_in_parts_and_one_more_id_writes_one_of_them() {
    let mut mgs = Mgs::new();
    let list: String = (0..3000).map(|n| format!("add_idmap nm1 uid {n}:{}\n", 2 * n)).collect();
    let ranges: String =
        (0..600).map(|n| format!("add_range nm1 10.0.{}.{}@tcp\n", n / 200, n % 200)).collect();
    order(&mut mgs, &format!("add nm1\n{list}{ranges}")).unwrap();
    let parts =
        |mgs: &Mgs| mgs.store.keys().filter(|k| k.starts_with("nodemap/nm1/")).cloned().collect::<Vec<_>>();
    assert_eq!(parts(&mgs).len(), 6 + 2);
    assert!(mgs.store.iter().filter(|(k, _)| k.starts_with("nodemap/")).all(|(_, v)| v.len() < 32_768));
    let before = mgs.store.clone();
    order(&mut mgs, "add_idmap nm1 uid 100000:7").unwrap();
    let changed: Vec<&String> =
        mgs.store.iter().filter(|(k, v)| before.get(*k) != Some(v)).map(|(k, _)| k).collect();
    assert_eq!(changed.len(), 3, "{changed:?}"); // the part, the head, the commit
    assert_eq!(entries(&mgs.restarted()), entries(&mgs));
    // A pair that moves to another part, and back into one value.
    order(&mut mgs, "add_idmap nm1 uid 200000:7\nadd_idmap nm1 uid 3:200001").unwrap();
    assert_eq!(entries(&mgs.restarted()), entries(&mgs));
    let gone: String = (10..3000).map(|n| format!("del_idmap nm1 uid {n}:{}\n", 2 * n)).collect();
    order(&mut mgs, &gone).unwrap();
    let gone: String =
        (10..600).map(|n| format!("del_range nm1 10.0.{}.{}@tcp\n", n / 200, n % 200)).collect();
    order(&mut mgs, &gone).unwrap();
    assert_eq!(parts(&mgs), Vec::<String>::new());
    assert_eq!(entries(&mgs.restarted()), entries(&mgs));
    assert_eq!(
        entries(&mgs).len(),
        3 + 10 + 1 + 10,
        "{:?}",
        mgs.store.get("nodemap/nm1").map(|v| String::from_utf8_lossy(v))
    );
}

/// A kernel MGS of old kept the fileset in the log `params`, from where it would come back.
#[test]
fn a_fileset_in_the_log_of_parameters_goes_with_its_nodemap() {
    use mgs_core::model::command::param;
    let mut mgs = Mgs::new();
    order(&mut mgs, "add nm1\nadd nm2").unwrap();
    for name in ["nm1", "nm2"] {
        let (path, value) = (format!("nodemap.{name}.fileset"), "/old".to_owned());
        mgs.order(param::Command::Set { path, value, delete: false }.into()).unwrap();
    }
    let live = |mgs: &Mgs| {
        let found = param::in_force([("params", &mgs.engine.view().logs["params"].log)]);
        found.into_iter().map(|p| p.name).collect::<Vec<_>>()
    };
    assert_eq!(live(&mgs), ["nodemap.nm1.fileset", "nodemap.nm2.fileset"]);
    order(&mut mgs, "set_fileset nm1 clear").unwrap();
    assert_eq!(live(&mgs), ["nodemap.nm2.fileset"]);
    let done = order(&mut mgs, "del nm2").unwrap();
    assert!(live(&mgs).is_empty());
    assert_eq!(
        done.notified.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["nodemap/nodemap", "params/params"]
    );
}
