//! What the lists of examples do not show: policies, versions, conflicts, warnings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use tunables::{
    Assignment, BadCatalogue, Catalogue, Class, Judge, Policy, Severity, Syntax, Topology, Validation,
    Verdict,
};

const TOPOLOGY: &str = r#"
    [[filesystem]]
    name = "testfs"
    targets = [
        { name = "MDT0000", version = "2.17.57" },
        { name = "OST0000", version = "2.17.57" },
        { name = "OST0001", version = "2.15.4" },
        { name = "OST0002", version = "2.15.4" },
        "OST0003",
    ]
    nodemaps = ["c0"]

    [[filesystem]]
    name = "old"
    targets = ["MDT0000", "OST0000"]
    version = "2.12.9"
"#;

fn assignment(text: &str) -> Assignment {
    // A conf_param name begins with a device of ours.
    let conf = text.starts_with("testfs") || text.starts_with("old");
    Assignment::new(if conf { Syntax::ConfParam } else { Syntax::SetParamP }, text)
}

fn with(policy: &Policy, text: &str) -> Verdict {
    let topology = Topology::parse(TOPOLOGY).unwrap();
    Judge::new(Catalogue::shipped()).topology(&topology).policy(policy).judge(&assignment(text))
}

fn judged(text: &str) -> Verdict {
    with(&Policy::default(), text)
}

#[test]
fn force_is_for_unknown_names_only() {
    let force = Policy { force: true, ..Policy::default() };
    let verdict = with(&force, "osc.*.brand_new=5");
    assert_eq!((verdict.severity, verdict.class), (Severity::Warn, Class::Unknown));
    assert_eq!(verdict.canonical.as_deref(), Some("osc.*.brand_new"));
    let verdict = with(&force, "testfs-OST0000.osc.brand_new=5");
    assert_eq!((verdict.severity, verdict.class), (Severity::Warn, Class::Unknown));
    for (text, class) in [
        ("osc.*.max_dirty_mb=2G", Class::Range),
        ("osc.*.kbytesfree=1", Class::ReadOnly),
        ("testfs-OST0000.foo.brand_new=5", Class::UnknownPrefix),
        ("testfs-OST0042.osc.brand_new=5", Class::BadDevice),
        ("osc.*.brand_new_upcall=/bin/sh", Class::Upcall),
        ("osc.*.brand_new=$(id)", Class::Unsafe),
    ] {
        let verdict = with(&force, text);
        assert!(verdict.is_refused() && verdict.class == class, "{text}: {} {verdict}", verdict.class);
    }
    assert!(judged("osc.*.brand_new=5").is_refused());
}

/// conf-sanity 42 and 107 want mistakes to be stored; nothing else is.
#[test]
fn validation_may_be_set_to_warn() {
    let warn = Policy { validation: Validation::Warn, ..Policy::default() };
    for (text, class) in [
        ("testfs.llite.some_wrong_param=10", Class::Unknown),
        ("testfs-OST0000.ost.unknown_param=50", Class::Unknown),
        ("testfs-OST0000.osc.max_dirty_mb=2G", Class::Range),
        ("testfs-OST0000.osc.checksums=maybe", Class::Value),
        ("testfs-OST0000.obdfilter.brw_size=4", Class::UnknownPrefix),
        ("osc.*.rpc_stats=0", Class::NotPersistent),
    ] {
        let verdict = with(&warn, text);
        assert_eq!((verdict.severity, verdict.class), (Severity::Warn, class), "{text}");
        assert!(judged(text).is_refused(), "{text}");
    }
    for (text, class) in [
        ("testfs-OST0042.osc.max_dirty_mb=64", Class::BadDevice),
        ("testfs-MDT0000.mdt.identity_upcall=/bin/sh", Class::Upcall),
        ("testfs-MDT0000.mdt.identity_upcall=sh;x", Class::Unsafe),
        ("testfs.llite.some_wrong_param=/bin/sh", Class::Upcall),
        ("testfs-MDT0000.mdc.active=0", Class::Refused),
    ] {
        let verdict = with(&warn, text);
        assert!(verdict.is_refused() && verdict.class == class, "{text}: {} {verdict}", verdict.class);
    }
}

#[test]
fn programs_are_what_the_operator_allows() {
    let text = "testfs-MDT0000.mdt.identity_upcall=/opt/site/l_getidentity";
    let verdict = judged(text);
    assert_eq!((verdict.severity, verdict.class), (Severity::Refuse, Class::Upcall));
    assert!(verdict.allowed.unwrap().contains("/usr/sbin/l_getidentity"));
    let policy = Policy { executables: vec!["/opt/site/l_getidentity".to_owned()], ..Policy::default() };
    assert_eq!(with(&policy, text).severity, Severity::Accept);
    assert!(with(&policy, "testfs-MDT0000.mdt.identity_upcall=/usr/sbin/l_getidentity").is_refused());
    assert!(!judged("debug_path=/tmp/lustre-log").is_refused());
}

#[test]
fn a_target_may_be_waited_for() {
    let waiting = Policy { unregistered_targets: true, ..Policy::default() };
    for text in ["testfs-OST0042.osc.max_dirty_mb=64", "osc.testfs-OST0042-osc-*.max_dirty_mb=64"] {
        let verdict = with(&waiting, text);
        assert_eq!((verdict.severity, verdict.class), (Severity::Warn, Class::BadDevice), "{verdict}");
        assert!(verdict.message.contains("waits"), "{verdict}");
        let verdict = judged(text);
        assert!(verdict.is_refused() && verdict.class == Class::BadDevice);
        assert!(verdict.allowed.unwrap().contains("testfs-OST0000"));
    }
    assert!(with(&waiting, "tesfts-OST0000.osc.max_dirty_mb=64").is_refused());
    assert!(with(&waiting, "testfs-OST00.osc.max_dirty_mb=64").is_refused());
}

#[test]
fn too_new_names_the_target() {
    let new = judged("testfs-OST0001.ost.no_create=1");
    let since = Catalogue::shipped().by_id("obdfilter.no_create").unwrap().since.unwrap();
    assert_eq!(since.to_string(), "2.16");
    assert_eq!((new.severity, new.class), (Severity::Warn, Class::TooNew));
    assert!(new.message.contains("testfs-OST0001 (2.15.4)"), "{new}");
    assert_eq!(judged("testfs-OST0000.ost.no_create=1").severity, Severity::Accept);
    // A version that is not known is not too old.
    assert_eq!(judged("testfs-OST0003.ost.no_create=1").severity, Severity::Accept);
    let all = judged("obdfilter.*.no_create=1");
    assert!(
        all.message.contains("old-OST0000 (2.12.9)")
            && all.message.contains("testfs-OST0001 and 1 more (2.15.4)"),
        "{all}"
    );
    let one = judged("obdfilter.testfs-OST*.no_create=1");
    assert!(!one.message.contains("old-") && one.message.contains("testfs-OST0001"), "{one}");
    let exact = judged("obdfilter.testfs-OST0000.no_create=1");
    assert_eq!(exact.severity, Severity::Accept, "{exact}");
}

#[test]
fn a_removed_name_is_let_pass_where_a_node_still_has_it() {
    let gone = "lod.*.nosuch=1";
    assert_eq!(judged(gone).class, Class::Unknown);
    let verdict = judged("old-OST0000.ost.sync_on_lock_cancel=never");
    assert_eq!((verdict.severity, verdict.class), (Severity::Warn, Class::Removed));
    let new =
        Topology::parse("[[filesystem]]\nname = \"old\"\ntargets = [\"OST0000\"]\nversion = \"2.17.57\"")
            .unwrap();
    let judge = Judge::new(Catalogue::shipped()).topology(&new);
    let verdict = judge.judge(&assignment("old-OST0000.ost.sync_on_lock_cancel=never"));
    assert_eq!((verdict.severity, verdict.class), (Severity::Refuse, Class::Removed));
    assert_eq!(verdict.suggestion.as_deref(), Some("write obdfilter.sync_lock_cancel"));
    assert_eq!(judged("testfs.mdt.rootsquash=0:0").class, Class::Removed);
}

#[test]
fn conflicts_with_what_is_stored() {
    let stored: BTreeMap<String, String> = [
        ("at_max", "600"),
        ("osp.testfs-OST*.reserved_mb_high", "1G"),
        ("llite.testfs-*.max_read_ahead_mb", "64"),
        ("testfs.sys.timeout", "100"),
        ("jobid_var", "procname_uid"),
        ("ost.OSS.ost_io.threads_max", "64"),
        ("osp.testfs-OST*.max_create_count", "20000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (text, broken) in [
        ("at_min=601", true),
        ("at_min=600", false),
        ("osp.testfs-OST*.reserved_mb_low=2048", true),
        ("osp.testfs-OST*.reserved_mb_low=1000", false),
        ("testfs.llite.max_read_ahead_per_file_mb=65", true),
        ("testfs.llite.max_read_ahead_per_file_mb=64M", false),
        ("testfs.sys.ldlm_timeout=100", true),
        ("testfs.sys.ldlm_timeout=99", false),
        ("ost.OSS.ost_io.threads_min=65", true),
        ("ost.OSS.ost.threads_min=65", false),
        ("osp.testfs-OST*.create_count=10001", true),
        ("osp.testfs-OST*.create_count=10000", false),
        ("jobid_name=fixed", true),
        ("jobid_name=%e", false),
    ] {
        let verdict = Judge::new(Catalogue::shipped()).stored(&stored).judge(&assignment(text));
        let notes = verdict.notes.iter().map(|n| n.class);
        assert!(!verdict.is_refused(), "{text}: {verdict}");
        let found = notes.chain([verdict.class]).any(|class| class == Class::Conflict);
        assert_eq!(found, broken, "{text}: {verdict:?}");
    }
}

#[test]
fn warnings() {
    for (text, class) in [
        ("testfs-OST0000.osc.checksums=true", Class::Lenient),
        ("testfs-OST0000.osc.checksums=yup", Class::Lenient),
        ("testfs-OST0000.osc.checksums=yes", Class::Lenient),
        ("testfs.sys.jobid_var=SLURM_JOB_ID", Class::Lenient),
        ("at_extra=1", Class::DocumentedRange),
        ("fail_loc=0x123", Class::Discouraged),
        ("ldlm.namespaces.*.lru_size=clear", Class::Discouraged),
        ("testfs-OST0000.ost.no_precreate=1", Class::Deprecated),
        ("nodemap.active=1", Class::Discouraged),
    ] {
        let verdict = judged(text);
        assert_eq!((verdict.severity, verdict.class), (Severity::Warn, class), "{text}: {verdict:?}");
    }
    let via_udev = judged("testfs-MDT0000.mdt.hsm.policy=NBR");
    assert_eq!(via_udev.severity, Severity::Accept);
    assert!(via_udev.notes.iter().any(|n| n.class == Class::Uevent));
}

#[test]
fn refusals_that_the_examples_lack() {
    for (text, class) in [
        ("testfs.llite.fast_read=", Class::Empty),
        ("osc.*.max_dirty_mb=", Class::Empty),
        ("osc.*.max_dirty_mb=5 M", Class::Unit),
        ("osc.*.max_dirty_mb=5k", Class::Unit),
        ("mds.MDS.mdt.nrs_policies=orr", Class::WrongService),
        ("ost.OSS.*.nrs_policies=trr", Class::WrongService),
        ("ost.OSS.{ost,ost_io}.nrs_policies=trr", Class::WrongService),
        ("module.lnet.lnet_retry_count=3", Class::NotPersistent),
        ("ptlrpc.nosuch=1", Class::Unknown),
        ("ost.OSS.ost_io.nrs_tbf_rule=start a nid={a,b} rate=1", Class::Value),
        ("llite.*.max_cached_mb=101%", Class::Range),
        ("obdfilter.*.access_log_size=100", Class::Range),
        ("{osc,mdc}.*.nosuch=1", Class::Unknown),
        ("osc.*.{max_dirty_mb,max_drity_mb}=1", Class::Unknown),
        ("*=1", Class::NotPersistent),
        ("testfs._mgs.x=1", Class::UnknownPrefix),
        ("testfs.failover.node=10.0.0.1@tcp", Class::WrongTarget),
        ("nodemap.c1.fileset=/x", Class::BadDevice),
        ("llite.nofs-*.fast_read=1", Class::BadDevice),
        ("mdt.testfs-MDT0007.identity_expire=5", Class::BadDevice),
    ] {
        let verdict = judged(text);
        assert!(verdict.is_refused() && verdict.class == class, "{text}: {} {verdict}", verdict.class);
    }
    for text in [
        "osc.*.max_dirty_mb=64",
        "ost.OSS.ost_io.nrs_policies=orr",
        "llite.testfs-*.max_cached_mb=max_cached_mb: 64",
        "obdfilter.*.access_log_size=128",
        "osp.*.max_create_count=0",
        "{osc,mdc}.*.max_dirty_mb=64",
        "nodemap.default.fileset=/x",
        "ldlm.namespaces.MGC*.lru_size=100",
        "testfs-OST0000-osc.osc.max_dirty_mb=24",
        "ldlm.namespaces.filter-testfs-OST0000_UUID.lru_size=1",
    ] {
        let verdict = judged(text);
        assert!(!verdict.is_refused(), "{text}: {} {verdict}", verdict.class);
    }
}

/// A catalogue from a file is checked before it is used.
#[test]
fn catalogues_are_checked() {
    let head = "[meta]\nschema = 1\nlustre_version = \"2.15.4\"\nlustre_commit = \"\"\n";
    let entry = "[[tunable]]\nid = \"a.b\"\nname = \"b\"\ncomponent = \"a\"\npath = \"PATH\"\nnodes = []\niface = \"sysfs\"\n\
                 mode = \"rw\"\nclass = \"setting\"\ntype = \"bool\"\npersist = \"yes\"\nsource = \"x.c\"\nconfidence = \"verified\"\n\
                 desc = \"\"\n";
    let parse = |text: String| Catalogue::parse(&text);
    let good = format!("{head}{}", entry.replace("PATH", "a.b"));
    let catalogue = parse(good.clone()).unwrap();
    assert_eq!(catalogue.meta().lustre_version, "2.15.4");
    let verdict = Judge::new(&catalogue).judge(&Assignment::new(Syntax::SetParamP, "a.b=1"));
    assert_eq!(verdict.severity, Severity::Accept);
    assert!(matches!(parse(good.replace("schema = 1", "schema = 2")), Err(BadCatalogue::Schema(2))));
    assert!(matches!(parse(format!("{good}{}", entry.replace("PATH", "a.b"))), Err(BadCatalogue::Twice(_))));
    assert!(matches!(
        parse(format!("{head}{}", entry.replace("PATH", "a.<x>"))),
        Err(BadCatalogue::Undefined { .. })
    ));
    let unknown = format!("{head}{}grammar = \"none\"\n", entry.replace("PATH", "a.b"));
    assert!(matches!(parse(unknown), Err(BadCatalogue::Undefined { .. })));
    let bad = format!(
        "{head}[[placeholder]]\nname = \"<x>\"\nregex = '('\ndesc = \"\"\n{}",
        entry.replace("PATH", "a.<x>")
    );
    assert!(matches!(parse(bad), Err(BadCatalogue::Regex { .. })));
    assert!(matches!(parse("meta = 1".to_owned()), Err(BadCatalogue::Toml(_))));
    for part in ["rw", "setting", "verified"] {
        assert!(matches!(parse(good.replace(part, "odd")), Err(BadCatalogue::Toml(_))), "{part}");
    }
}

#[test]
fn a_number_in_another_form_is_said_plainly() {
    for (text, number) in [
        ("at_min=0x28", "write 40"),
        ("at_min=5s", "write 5"),
        ("max_dirty_mb=2G", "write 2048"),
        ("testfs.sys.timeout=0x64", "write 100"),
    ] {
        let verdict = judged(text);
        assert_eq!((verdict.class, verdict.suggestion.as_deref()), (Class::Value, Some(number)), "{text}");
    }
    for text in ["at_min=5m", "at_min=lots", "max_dirty_mb=1K", "expected_clients=0xffffff"] {
        assert_eq!(judged(text).suggestion, None, "{text}");
    }
}
