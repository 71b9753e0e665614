#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::super::{Arguments, Config, ConfigError, Site};
use clap::Parser;
use std::path::Path;
use std::time::Duration;

const TWO: &str = r#"
data = "/d"
port = 988
ir_timeout = 30
keep_days = 7
[[mgs]]
name = "scratch"
nid = ["10.0.0.1@tcp", "10.1.0.1@tcp1"]
[[mgs]]
name = "home"
nid = ["10.0.0.2@tcp"]
store = "etcd:http://a:2379/mgsd/home"
wait_address = true
route = ["o2ib via 10.0.0.5@tcp"]
relay = "unix:/run/mgsd/home/relay.sock"
ir_timeout = 60
dead_sections = true
"#;

fn arguments(file: &Path, words: &[&str]) -> Arguments {
    let typed = ["mgsd", "--config", file.to_str().unwrap()];
    Arguments::try_parse_from(typed.iter().chain(words)).unwrap()
}

fn site(text: &str, words: &[&str]) -> Result<Site, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mgsd.toml");
    std::fs::write(&file, text).unwrap();
    Site::new(&arguments(&file, words))
}

fn refusal(text: &str, words: &[&str]) -> String {
    site(text, words).unwrap_err().to_string()
}

#[test]
fn each_has_what_it_says_and_the_rest_from_above() {
    let site = site(TWO, &[]).unwrap();
    assert_eq!(site.api, Path::new("/d/api.sock"));
    let [scratch, home] = site.mgs.as_slice() else { panic!("{:?}", site.mgs) };
    assert_eq!((scratch.name.as_deref(), home.name.as_deref()), (Some("scratch"), Some("home")));
    assert_eq!(scratch.nids.len(), 2);
    assert_eq!(home.nids, ["10.0.0.2@tcp".parse().unwrap()]);
    assert_eq!(scratch.store.to_string(), "sqlite:/d/scratch");
    assert_eq!(home.store.kind(), "etcd");
    assert_eq!(
        (scratch.api.to_str(), home.api.to_str()),
        (Some("/d/scratch/api.sock"), Some("/d/home/api.sock"))
    );
    assert_eq!((&scratch.api_alias, &home.api_alias), (&None, &None));
    assert_eq!((scratch.port, home.port), (Some(988), Some(988)));
    assert_eq!((scratch.ir_timeout.as_secs(), home.ir_timeout.as_secs()), (30, 60));
    assert_eq!((scratch.dead_sections, home.dead_sections), (false, true));
    assert_eq!((scratch.wait_address, home.wait_address), (false, true));
    assert_eq!((scratch.routes.len(), home.routes.len()), (0, 1));
    assert_eq!(scratch.relay, None);
    assert_eq!(home.relay.as_deref(), Some(Path::new("/run/mgsd/home/relay.sock")));
    let days = Duration::from_secs(7 * 86_400);
    assert_eq!((scratch.keep.age, home.keep.age), (days, days));
}

#[test]
fn directory_port_and_socket_may_be_typed() {
    let typed = ["--data", "/e", "--port", "9988", "--api", "unix:/run/mgsd/a.sock"];
    let site = site(TWO, &typed).unwrap();
    assert_eq!(site.api, Path::new("/run/mgsd/a.sock"));
    assert_eq!(site.mgs[0].store.to_string(), "sqlite:/e/scratch");
    assert_eq!(site.mgs[1].api, Path::new("/run/mgsd/home/a.sock"));
    assert_eq!(site.mgs[1].port, Some(9988));
}

#[test]
fn a_single_section_is_also_found_without_a_name() {
    let only = site("data = \"/d\"\n[[mgs]]\nname = \"x\"\nnid = [\"10.0.0.1@tcp\"]\n", &[]).unwrap();
    assert_eq!(only.mgs[0].api, Path::new("/d/x/api.sock"));
    assert_eq!(only.mgs[0].api_alias.as_deref(), Some(Path::new("/d/api.sock")));
    assert_eq!(only.choose(None).unwrap().name.as_deref(), Some("x"));
}

#[test]
fn what_is_not_apart_is_refused_by_section_and_value() {
    let two = |first: &str, second: &str| {
        format!("data = \"/d\"\n[[mgs]]\nname = \"a\"\n{first}\n[[mgs]]\nname = \"b\"\n{second}\n")
    };
    let nid = |ip: &str| format!("nid = [\"{ip}\"]");
    let more = |ip: &str, line: &str| format!("nid = [\"{ip}\"]\n{line}");
    for (first, second, parts) in [
        (nid("10.0.0.1@tcp"), nid("10.0.0.1@tcp0"), ["nid \"10.0.0.1@tcp\"", "each needs its own"]),
        // two networks, one address
        (nid("10.0.0.1@tcp"), nid("10.0.0.1@tcp1"), ["address 10.0.0.1", "one port"]),
        (nid("10.0.0.1@tcp"), more("10.0.0.2@tcp", "bind = [\"0.0.0.0\"]"), ["address 0.0.0.0", "one port"]),
        (
            more("10.0.0.1@tcp", "bind = [\"10.0.0.2\"]"),
            nid("10.0.0.2@tcp"),
            ["address 10.0.0.2", "one port"],
        ),
        (
            nid("10.0.0.1@tcp"),
            more("10.0.0.2@tcp", "store = \"sqlite:/d/./b/../a\""),
            ["store \"sqlite:", "each needs its own"],
        ),
        (
            more("10.0.0.1@tcp", "store = \"etcd:http://m:2379,n:2379/mgsd/x\""),
            more("10.0.0.2@tcp", "store = \"etcd:http://n:2379/mgsd/x\""),
            ["store \"etcd:", "each needs its own"],
        ),
        (
            more("10.0.0.1@tcp", "relay = \"unix:/r\""),
            more("10.0.0.2@tcp", "relay = \"unix:/r\""),
            ["relay \"unix:/r\"", "each needs its own"],
        ),
    ] {
        let said = refusal(&two(&first, &second), &[]);
        assert!(said.contains("[[mgs]] \"b\"") && said.contains("[[mgs]] \"a\""), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // Behind proxies the daemon listens nowhere; another address family is another address.
    let relayed = |n: u8| format!("nid = [\"10.0.0.1@tcp{n}\"]\nrelay = \"unix:/r{n}\"");
    assert!(site(&two(&relayed(1), &relayed(2)), &[]).is_ok());
    assert!(site(&two(&nid("10.0.0.1@tcp"), &more("fd00::1@tcp", "bind = [\"::\"]")), &[]).is_ok());
}

#[test]
fn links_do_not_hide_that_a_store_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    std::fs::create_dir(at("real")).unwrap();
    std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
    let section = |n: u8, store: &str| {
        format!(
            "[[mgs]]\nname = \"m{n}\"\nnid = [\"10.0.0.{n}@tcp\"]\nstore = \"sqlite:{}/new\"\n",
            at(store)
        )
    };
    let said = refusal(&format!("data = \"/d\"\n{}{}", section(1, "real"), section(2, "link")), &[]);
    assert!(said.contains("[[mgs]] \"m2\": store"), "{said}");
}

#[test]
fn what_a_section_cannot_say_is_refused_by_value() {
    let long = "x".repeat(33);
    let deep = "y".repeat(100);
    for (section, part) in [
        ("name = \"\"\nnid = [\"10.0.0.1@tcp\"]", "1 to 32 letters"),
        ("name = \"..\"\nnid = [\"10.0.0.1@tcp\"]", "1 to 32 letters"),
        ("name = \"a/b\"\nnid = [\"10.0.0.1@tcp\"]", "1 to 32 letters"),
        ("name = \"-a\"\nnid = [\"10.0.0.1@tcp\"]", "1 to 32 letters"),
        (&format!("name = \"{long}\"\nnid = [\"10.0.0.1@tcp\"]"), "1 to 32 letters"),
        ("nid = [\"10.0.0.1@tcp\"]", "missing field `name`"),
        ("name = \"a\"", "missing field `nid`"),
        ("name = \"a\"\nnid = []", "needs a NID"),
        ("name = \"a\"\nnid = [\"x@y\"]", "\"a\": nid \"x@y\" is not a NID"),
        ("name = \"a\"\nnid = [\"10.0.0.1@tcp\"]\nstore = \"/d\"", "\"a\": store"),
        ("name = \"a\"\nnid = [\"10.0.0.1@tcp\"]\nrelay = \"/d\"", "\"a\": relay"),
        ("name = \"a\"\nnid = [\"10.0.0.1@tcp\"]\nroute = [\"o2ib\"]", "\"a\": route"),
        ("name = \"a\"\nnid = [\"10.0.0.1@tcp\"]\nport = 989", "port"),
        ("name = \"a\"\nnid = [\"10.0.0.1@tcp\"]\nkeep_dys = 1", "keep_dys"),
        (
            &format!("name = \"a\"\nnid = [\"10.0.0.1@tcp\"]\nrelay = \"unix:/{deep}/relay.sock\""),
            "107 are allowed",
        ),
    ] {
        let said = refusal(&format!("data = \"/d\"\n[[mgs]]\n{section}\n"), &[]);
        assert!(said.contains(part), "{said}");
    }
    let api = format!("unix:/{}/api.sock", "z".repeat(90));
    assert!(refusal(TWO, &["--api", &api]).contains("107 are allowed"));
    let twice = "[[mgs]]\nname = \"a\"\nnid = [\"10.0.0.1@tcp\"]\n";
    let said = refusal(&format!("data = \"/d\"\n{twice}{twice}"), &[]);
    assert!(said.contains("two sections have this name"), "{said}");
}

#[test]
fn what_belongs_to_one_mgs_is_not_said_beside_them() {
    for line in
        ["nid = [\"10.0.0.9@tcp\"]", "store = \"sqlite:/x\"", "bind = [\"10.0.0.9\"]", "relay = \"unix:/r\""]
    {
        let said = refusal(&format!("{line}\n{TWO}"), &[]);
        let word = line.split(' ').next().unwrap();
        assert!(said.contains(&format!("{word} beside [[mgs]] sections")), "{said}");
    }
    for words in
        [["--nid", "10.0.0.9@tcp"], ["--store", "sqlite:/x"], ["--bind", "10.0.0.9"], ["--relay", "unix:/r"]]
    {
        let said = refusal(TWO, &words);
        assert!(said.contains(&format!("{} beside [[mgs]] sections", words[0])), "{said}");
    }
}

#[test]
fn check_backup_and_restore_name_the_mgs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mgsd.toml");
    std::fs::write(&file, TWO).unwrap();
    let chosen =
        |words: &[&str]| Config::new(&arguments(&file, words)).map(|config| config.store.to_string());
    let scratch = "sqlite:/d/scratch";
    assert_eq!(chosen(&["check", "--mgs", "scratch"]).unwrap(), scratch);
    assert_eq!(chosen(&["backup", "f", "--mgs", "scratch"]).unwrap(), scratch);
    assert_eq!(chosen(&["restore", "--from", "f", "--mgs", "scratch"]).unwrap(), scratch);
    let said = chosen(&["check"]).unwrap_err().to_string();
    assert_eq!(said, "the configuration has several MGS: --mgs NAME chooses one of scratch, home");
    let said = chosen(&["check", "--mgs", "hme"]).unwrap_err().to_string();
    assert_eq!(said, "the configuration has no MGS \"hme\": --mgs NAME chooses one of scratch, home");
    std::fs::write(&file, "data = \"/d\"").unwrap();
    assert!(chosen(&["check", "--mgs", "x"]).unwrap_err().to_string().contains("leave it out"));
}

/// `packaging/mgsd-several.toml`
#[test]
fn the_example_is_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/mgsd-several.toml");
    let site = Site::new(&arguments(&file, &[])).unwrap();
    let names: Vec<&str> = site.mgs.iter().filter_map(|config| config.name.as_deref()).collect();
    assert_eq!(names, ["scratch", "home"]);
    assert!(site.mgs.iter().all(|config| config.port == Some(988)));
    assert_eq!(site.mgs[1].api, Path::new("/run/mgsd/home/api.sock"));
}
