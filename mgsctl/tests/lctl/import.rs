//! `mgsctl import` and `export-mgt` against mgsd: every recorded disk goes in and comes out as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use scenarios::daemon::Daemon;

async fn daemon() -> Daemon {
    Daemon::start("10.77.0.2@tcp".parse().unwrap(), Duration::ZERO).await.unwrap()
}

fn mgsctl(daemon: &Daemon, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mgsctl"));
    let command = command.args(args).env("MGSD_API", format!("unix:{}", daemon.socket().display()));
    tokio::task::block_in_place(|| command.output().unwrap())
}

pub(crate) fn done(daemon: &Daemon, args: &[&str]) -> String {
    let out = mgsctl(daemon, args);
    assert!(out.status.success() && out.stderr.is_empty(), "{args:?}: {out:?}");
    String::from_utf8(out.stdout).unwrap()
}

/// Files of the folders of an MGT.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["CONFIGS", "NIDTBL_VERSIONS"] {
        let Ok(list) = std::fs::read_dir(dir.join(folder)) else { continue };
        for entry in list {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    files
}

pub(crate) fn write(files: &BTreeMap<String, Vec<u8>>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, file) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    dir
}

pub(crate) fn stages(session: &str) -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let mut out: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for (path, file) in capture::states::session(session) {
        let (stage, rest) = path.split_once('/').unwrap();
        if rest.starts_with("CONFIGS/") || rest.starts_with("NIDTBL_VERSIONS/") {
            out.entry(stage.to_owned()).or_default().insert(rest.to_owned(), file);
        }
    }
    out
}

/// A nodemap index without what a kernel leaves behind its last entry.
fn live(name: &str, file: &[u8]) -> Vec<u8> {
    if name != "CONFIGS/nodemap" {
        return file.to_vec();
    }
    let count = usize::from(u16::from_le_bytes([file[4098], file[4099]]));
    file[..4096 + 4 + 40 * count].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_disk_goes_in_and_comes_out_byte_for_byte() {
    let all = capture::states::SESSIONS.into_iter().flat_map(stages);
    // The first one is empty: nobody has registered.
    let all: Vec<_> = all.filter(|(stage, _)| stage != "A00-empty-mgt").collect();
    assert_eq!(all.len(), 52);
    for (stage, source) in all {
        let from = write(&source);
        let from = from.path().to_str().unwrap();
        let daemon = daemon().await;
        let dry = done(&daemon, &["import", "--from", from, "--was", "10.77.0.2@tcp", "--dry-run"]);
        assert!(dry.starts_with("class: standalone MGS, its NID taken over: clients stay mounted"), "{dry}");
        assert!(dry.contains("nothing was changed") && dry.matches("class: ").count() == 1, "{dry}");
        assert!(done(&daemon, &["import", "--from", from]).contains("done, seq"), "{stage}");
        assert!(done(&daemon, &["import", "--from", from]).contains("holds exactly this already"), "{stage}");

        let to = tempfile::tempdir().unwrap();
        let dir = to.path().to_str().unwrap();
        done(&daemon, &["export-mgt", dir, "--dry-run"]);
        assert!(tree(to.path()).is_empty());
        done(&daemon, &["export-mgt", dir]);
        let mut out = tree(to.path());
        // A kernel has no table of a fork on its disk; here it gets a version above any that nodes may hold.
        let unknown = 65_536_u64.to_le_bytes().to_vec();
        out.retain(|name, file| source.contains_key(name) || *file != unknown);
        // What mkfs.lustre makes, leftovers without records, and tables of file systems without logs stay out.
        let wanted: BTreeSet<&String> = source
            .iter()
            .filter(|(name, file)| match name.split_once('/').unwrap() {
                ("CONFIGS", "mountdata") => false,
                ("CONFIGS", "params" | "nodemap") => true,
                ("CONFIGS", _) => !file.is_empty(),
                (_, fs) => out.contains_key(&format!("NIDTBL_VERSIONS/{fs}")),
            })
            .map(|(name, _)| name)
            .collect();
        assert_eq!(out.keys().collect::<BTreeSet<_>>(), wanted, "{stage}");
        for name in wanted {
            assert_eq!(live(name, &out[name]), live(name, &source[name]), "{stage}: {name}");
        }
        let again = done(&daemon, &["export-mgt", dir]);
        assert!(!again.contains("\nwrote"), "{again}");

        // What came out goes in elsewhere, and comes out the same.
        let second = self::daemon().await;
        done(&second, &["import", "--from", dir]);
        let back = tempfile::tempdir().unwrap();
        done(&second, &["export-mgt", back.path().to_str().unwrap()]);
        assert_eq!(tree(back.path()), tree(to.path()), "{stage}");
        for daemon in [daemon, second] {
            drop(daemon.stop().await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_class_comes_first_and_what_is_odd_is_said() {
    let daemon = daemon().await;
    let source = stages("C").remove("C08-llog_cancel").unwrap();
    let from = write(&source);
    let from = from.path().to_str().unwrap();
    let shown = done(&daemon, &["import", "--dry-run", "--from", from, "--was", "192.168.1.1@o2ib"]);
    assert!(
        shown.starts_with("class: combined with an MDT, o2ib, or a new NID: remount plan per node"),
        "{shown}"
    );
    assert!(shown.contains("--mgsnode=10.77.0.2@tcp") && shown.contains("umount"), "{shown}");
    let mut combined = source.clone();
    combined.get_mut("CONFIGS/mountdata").unwrap()[20] |= 1;
    combined.insert("CONFIGS/bogus-client".to_owned(), Vec::new());
    combined.insert("NIDTBL_VERSIONS/short".to_owned(), vec![1]);
    let dir = write(&combined);
    let shown = done(&daemon, &["import", "--dry-run", "--from", dir.path().to_str().unwrap()]);
    for says in ["tunefs.lustre --nomgs", "odd: bogus-client: empty", "odd: NIDTBL_VERSIONS/short: 1 bytes"] {
        assert!(shown.contains(says), "{shown}");
    }
    // Over something else nothing is written.
    done(&daemon, &["import", "--from", from]);
    let other = write(&stages("B").remove("B00-mounted").unwrap());
    let out = mgsctl(&daemon, &["import", "--from", other.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("exists here already"), "{out:?}");
    let full = write(&stages("B").remove("B00-mounted").unwrap());
    let out = mgsctl(&daemon, &["export-mgt", full.path().to_str().unwrap()]);
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("--overwrite"), "{out:?}");
    let empty = tempfile::tempdir().unwrap();
    for (path, says) in [
        ("/nonexistent", "No such file"),
        ("/dev/null", "failed to fill"),
        (empty.path().to_str().unwrap(), "neither CONFIGS"),
    ] {
        let out = mgsctl(&daemon, &["import", "--from", path]);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(1) && text.contains(says), "{path}: {text}");
    }
    drop(daemon.stop().await.unwrap());
}

/// Writes the image of a disk; holes stay holes.
fn image(name: &str) -> tempfile::NamedTempFile {
    use std::io::{Read, Seek, SeekFrom, Write};
    let gz = std::fs::read(capture::vectors_dir().join("mgt").join(name)).unwrap();
    let mut reader = flate2::read::GzDecoder::new(gz.as_slice());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let (mut block, mut size) = (vec![0; 1 << 16], 0);
    loop {
        let len = reader.read(&mut block).unwrap();
        if len == 0 {
            break;
        }
        size += len as u64;
        match block[..len].iter().all(|b| *b == 0) {
            true => drop(file.seek(SeekFrom::Current(i64::try_from(len).unwrap())).unwrap()),
            false => file.write_all(&block[..len]).unwrap(),
        }
    }
    file.as_file().set_len(size).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_of_a_disk_is_as_good_as_its_files() {
    let daemon = daemon().await;
    // As a real Lustre left it.
    let used = image("used-2.17.57.img.gz");
    let from = used.path().to_str().unwrap();
    let shown = done(&daemon, &["import", "--dry-run", "--from", from]);
    assert!(
        shown.starts_with("class: standalone MGS") && shown.contains("odd: nodemap-client: empty"),
        "{shown}"
    );
    let other = self::daemon().await;
    done(&other, &["import", "--from", from]);
    let targets = done(&other, &["target", "list"]);
    for name in ["testfs-MDT0000", "testfs-OST0000", "testfs-OST0001", "testfs-OST0002", "testfs-OST0003"] {
        assert!(targets.contains(name), "{targets}");
    }
    drop(other.stop().await.unwrap());

    let mut bytes = vec![0];
    let last = used.as_file();
    last.read_exact_at(&mut bytes, 1024 + 96).unwrap();
    last.write_all_at(&[bytes[0] | 4], 1024 + 96).unwrap();
    let out = mgsctl(&daemon, &["import", "--from", from]);
    assert!(
        out.status.code() == Some(1) && String::from_utf8_lossy(&out.stderr).contains("journal_only"),
        "{out:?}"
    );

    let disk = image("B05f-nodemap-full.img.gz");
    done(&daemon, &["import", "--from", disk.path().to_str().unwrap()]);
    let source = stages("B").remove("B05f-nodemap-full").unwrap();
    let dir = write(&source);
    let again = done(&daemon, &["import", "--from", dir.path().to_str().unwrap()]);
    assert!(again.contains("holds exactly this already"), "{again}");

    // The disk of an MDT has other directories.
    let mut bytes = std::fs::read(disk.path()).unwrap();
    bytes[1024 + 97] |= 0x10;
    std::fs::write(disk.path(), bytes).unwrap();
    let out = mgsctl(&daemon, &["import", "--from", disk.path().to_str().unwrap()]);
    assert!(
        out.status.code() == Some(1) && String::from_utf8_lossy(&out.stderr).contains("dirdata"),
        "{out:?}"
    );
    std::fs::write(disk.path(), [0x55; 8192]).unwrap();
    let out = mgsctl(&daemon, &["import", "--from", disk.path().to_str().unwrap()]);
    assert!(out.status.code() == Some(1), "{out:?}");
    drop(daemon.stop().await.unwrap());
}
