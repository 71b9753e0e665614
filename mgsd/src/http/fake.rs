//! A small site for tests: file systems `scratch` and `testfs`, and one log recorded from a kernel MGS.
//!
//! Included by the tests of this folder and, by path, by those of mgsctl; `Mgs` is what the includer calls so.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mgs_api::{
    Barrier, Binding, BindingMode, Chain, Change, ChangeReach, ClientExport, ClientKind, Commit, Connections,
    Decision, EffectiveParam, FileSystem, IrState, List, LocksHeld, Log, LogChange, LogFetched, LogReader,
    Mgt, Nodemap, NodemapCaps, NodemapEntry, NodemapExport, NodemapFileset, NodemapIdKind, NodemapIds,
    NodemapRange, NodemapTest, Nodemaps, Param, ParamAssigned, ParamEvent, ParamInForce, ParamPolicy, Pool,
    Problem, ProblemKind, Programs, RecordAt, Registered, Registration, RegistrationPolicy,
    RegistrationRules, RegistrationState, Reservation, Status, StoreInfo, Target, TargetKind, TargetState,
    Time, Validation, Writeconf,
};
use tokio::sync::Notify;

use super::{LogFile, Mgs, Order};

#[path = "fake_logs.rs"]
mod logs;
#[path = "fake_params.rs"]
mod params;

/// `CONFIGS/testfs-client` of a kernel MGS; origin: vectors/README.md.
pub(crate) const CLIENT_LOG: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/api/testfs-client"));

/// The commit that every answer reflects.
pub(crate) const SEQ: u64 = 42;

/// 2026-11-21T07:00:00Z.
const START: u64 = 1_795_244_400;

/// Holds `status` until told to go on.
#[derive(Default)]
pub(crate) struct Gate {
    /// A request is inside.
    pub(crate) entered: Notify,
    /// It may leave.
    pub(crate) leave: Notify,
}

/// The site.
#[derive(Default)]
pub(crate) struct Fake {
    /// Holds `status`, where there is one.
    pub(crate) gate: Option<Arc<Gate>>,
}

#[async_trait]
impl Mgs for Fake {
    async fn status(&self) -> Result<Status, Problem> {
        if let Some(gate) = &self.gate {
            gate.entered.notify_one();
            gate.leave.notified().await;
        }
        Ok(status())
    }

    async fn fs_list(&self) -> Result<List<FileSystem>, Problem> {
        Ok(all(file_systems()))
    }

    async fn fs(&self, name: &str) -> Result<FileSystem, Problem> {
        pick("fs", name, file_systems(), |fs| &fs.name)
    }

    async fn targets(&self, fs: Option<&str>) -> Result<List<Target>, Problem> {
        let only = match fs {
            Some(name) => Some(self.fs(name).await?.name),
            None => None,
        };
        let wanted = |target: &Target| only.as_ref().is_none_or(|fs| *fs == target.fs);
        Ok(all(targets().into_iter().filter(wanted).collect()))
    }

    async fn target(&self, name: &str) -> Result<Target, Problem> {
        pick("target", name, targets(), |target| &target.name)
    }

    async fn barrier(&self, fs: &str) -> Result<Barrier, Problem> {
        let fs = self.fs(fs).await?.name;
        Ok(Barrier { fs, state: "frozen".to_owned(), left: 17, mdts: 2, absent: 1 })
    }

    async fn connections(&self) -> Result<Connections, Problem> {
        Ok(Connections { closed: true, denied: texts(&["10.77.0.66@tcp"]) })
    }

    async fn clients(&self) -> Result<List<ClientExport>, Problem> {
        Ok(all(clients()))
    }

    async fn logs(&self, fs: Option<&str>) -> Result<List<Log>, Problem> {
        if let Some(fs) = fs {
            self.fs(fs).await?;
        }
        let wanted = |log: &Log| fs.is_none() || log.fs.as_deref() == fs;
        Ok(all(logs::logs().into_iter().filter(wanted).collect()))
    }

    async fn log_readers(&self, name: &str) -> Result<List<LogReader>, Problem> {
        let log = pick("log", name, logs::logs(), |log| &log.name)?;
        let (nid, uuid) = ("10.77.0.4@tcp".to_owned(), "f6e30fc2-ff62-480a-b3c4-ecc8d80add6f".to_owned());
        Ok(all(vec![LogReader { nid, uuid, index: 50, last: log.last_index, at: at(900) }]))
    }

    async fn log_file(&self, name: &str) -> Result<LogFile, Problem> {
        let bytes = match name {
            "testfs-client" => Bytes::from_static(CLIENT_LOG),
            "params" => Bytes::new(),
            "damaged" => Bytes::from_static(b"not a log"),
            "unready" => return Err(Problem::new(ProblemKind::NotNow, "mgsd", "is starting")),
            _ => {
                return Err(Problem::unknown_name(
                    "log",
                    name,
                    logs::logs().iter().map(|log| log.name.clone()),
                ));
            }
        };
        Ok(LogFile { seq: SEQ, bytes })
    }

    async fn client_record(&self, nid: &str) -> Result<Bytes, Problem> {
        let known: Vec<String> = clients().iter().map(|c| c.nid.clone()).collect();
        match known.iter().any(|k| k == nid) {
            true => Ok(Bytes::from_static(b"a capture file")),
            false => Err(Problem::unknown_name("client", nid, known)),
        }
    }

    async fn commits(&self, after: u64, limit: u32) -> Result<List<Commit>, Problem> {
        let commit = |seq: u64, actor: &str, event: &str, target: &str| Commit {
            seq,
            time: at(seq),
            txn: format!("{seq:032x}"),
            events: vec![
                serde_json::json!({ "actor": actor, "event": event, "target": target, "instance": seq }),
            ],
            notified: texts(&["testfs/config"]),
            keys: texts(&["fs/testfs"]),
            prev: format!("{:064x}", seq - 1),
        };
        let mut known = [
            commit(41, "nid:10.0.0.3@tcp", "target_registered", "testfs-OST000a"),
            commit(42, "uid:0", "target_ready", "testfs-OST000a"),
        ];
        known[1].events.push(serde_json::json!({
            "actor": "uid:0", "event": "param_set", "device": "testfs-OST000a", "name": "osc.max_dirty_mb",
            "value": "64", "before": ["32"],
        }));
        let wanted = known.into_iter().filter(|c| c.seq > after).take(limit as usize);
        Ok(all(wanted.collect()))
    }

    async fn commit_chain(&self) -> Result<Chain, Problem> {
        Ok(Chain { first: 1, last: SEQ, sha256: format!("{SEQ:064x}"), broken_at: None })
    }

    async fn params(&self, fs: Option<&str>) -> Result<List<ParamInForce>, Problem> {
        if let Some(fs) = fs {
            self.fs(fs).await?;
        }
        let (at_time, at) = (at, |log: &str, index| RecordAt { log: log.to_owned(), index });
        let param = |device: Option<&str>, name: &str, value: &str, records| ParamInForce {
            device: device.map(str::to_owned),
            name: name.to_owned(),
            value: value.to_owned(),
            records,
            spellings: match device {
                Some(device) => vec![format!("{device}.{name}"), format!("osc.{device}-osc-*.max_dirty_mb")],
                None => vec![name.to_owned()],
            },
            assigned: Some(ParamAssigned {
                by: "uid:0".to_owned(),
                time: at_time(40),
                seq: 40,
                from: None,
                unset: false,
            }),
        };
        Ok(all(vec![
            param(None, "osc.*.max_dirty_mb", "32", vec![at("params", 2)]),
            param(
                Some("testfs-OST000a"),
                "osc.max_dirty_mb",
                "64",
                vec![at("testfs-MDT0000", 51), at("testfs-client", 34)],
            ),
        ]))
    }

    async fn param_effective(&self, target: &str, name: &str) -> Result<EffectiveParam, Problem> {
        let target = pick("target", target, targets(), |target| &target.name)?.name;
        Ok(params::effective(&target, name))
    }

    async fn param_history(&self, name: &str) -> Result<List<ParamEvent>, Problem> {
        Ok(all(params::history(name)))
    }

    async fn param_status(&self, seq: Option<u64>) -> Result<ChangeReach, Problem> {
        Ok(params::status(seq))
    }

    async fn param_programs(&self) -> Result<Programs, Problem> {
        Ok(Programs { usual: texts(&["/usr/sbin/l_getidentity"]), allowed: texts(&["/opt/site/identity"]) })
    }

    async fn param_policy(&self) -> Result<ParamPolicy, Problem> {
        Ok(ParamPolicy { validation: Validation::Enforce })
    }

    async fn pools(&self, fs: Option<&str>) -> Result<List<Pool>, Problem> {
        if let Some(fs) = fs {
            self.fs(fs).await?;
        }
        let pool = |name: &str, members| Pool { fs: "testfs".to_owned(), name: name.to_owned(), members };
        Ok(all(vec![pool("empty", Vec::new()), pool("flash", texts(&["testfs-OST000a"]))]))
    }

    async fn security_rules(&self, fs: Option<&str>) -> Result<List<mgs_api::SecurityRule>, Problem> {
        if let Some(fs) = fs {
            self.fs(fs).await?;
        }
        let rule = |device: &str, direction: Option<&str>, flavor: &str, index| mgs_api::SecurityRule {
            device: device.to_owned(),
            network: "default".to_owned(),
            direction: direction.map(str::to_owned),
            flavor: flavor.to_owned(),
            log: "testfs-sptlrpc".to_owned(),
            index,
        };
        Ok(all(vec![
            rule("testfs-OST000a", None, "skpi", 8),
            rule("testfs", Some("cli2mdt"), "krb5p", 5),
            rule("testfs", None, "null", 2),
        ]))
    }

    async fn export(&self) -> Result<Mgt, Problem> {
        Ok(Mgt { from: "mgsd".to_owned(), seq: SEQ, ..Mgt::default() })
    }

    async fn nodemaps(&self) -> Result<Nodemaps, Problem> {
        let of = nodemap();
        let item = NodemapEntry {
            name: of.name.clone(),
            id: of.id,
            ranges: of.ranges.len() as u64,
            bans: of.banlist.len() as u64,
            idmaps: of.idmap.len() as u64,
            fileset: Some(of.filesets[0].path.clone()),
        };
        Ok(Nodemaps { seq: SEQ, active: true, version: 40, items: vec![item] })
    }

    async fn nodemap(&self, name: &str) -> Result<Nodemap, Problem> {
        match name {
            "nm1" => Ok(nodemap()),
            _ => Err(Problem::unknown_name("nodemap", name, ["default", "nm1"])),
        }
    }

    async fn nodemap_test(
        &self,
        nid: &str,
        id: Option<(NodemapIdKind, u32)>,
    ) -> Result<NodemapTest, Problem> {
        let (nid, nodemap, id) = (nid.to_owned(), "nm1".to_owned(), id.map(|(_, id)| id + 500));
        Ok(NodemapTest { seq: SEQ, nid, nodemap, banned: false, active: true, id })
    }

    async fn registrations(&self) -> Result<List<Registration>, Problem> {
        Ok(all(registrations()))
    }

    async fn registration_rules(&self) -> Result<RegistrationRules, Problem> {
        let networks = vec![Binding {
            network: "tcp".to_owned(),
            mode: BindingMode::Enforce,
            nodes: vec![texts(&["10.77.0.2@tcp", "10.78.0.2@tcp"])],
            routers: texts(&["10.77.0.254@tcp"]),
        }];
        Ok(RegistrationRules { default: RegistrationPolicy::Approve, networks })
    }

    async fn reservations(&self, fs: Option<&str>) -> Result<List<Reservation>, Problem> {
        let reservation = |target: &str, nids: &[&str], until| Reservation {
            target: target.to_owned(),
            fs: target.split('-').next().unwrap_or_default().to_owned(),
            nids: texts(nids),
            by: "rack 7".to_owned(),
            time: at(500),
            until,
        };
        let known = vec![
            reservation("newfs-MDT0000", &[], None),
            reservation("testfs-OST0000", &["10.77.0.9@tcp"], Some(at(604_900))),
        ];
        Ok(all(known.into_iter().filter(|r| fs.is_none_or(|fs| fs == r.fs)).collect()))
    }

    /// Shows the order that it got.
    async fn change(&self, order: Order) -> Result<Change, Problem> {
        assert!(order.actor.strip_prefix("uid:").is_some_and(|uid| uid.parse::<u32>().is_ok()));
        let log = LogChange {
            log: "testfs-client".to_owned(),
            erased: false,
            edited: vec![7],
            cancelled: Vec::new(),
            appended: texts(&["- { index: 56, event: marker, flags: 0x01 }"]),
        };
        Ok(Change {
            seq: (!order.dry_run).then_some(SEQ + 1),
            dry_run: order.dry_run,
            warnings: Vec::new(),
            events: vec![serde_json::json!({ "event": format!("{:?}", order.command) })],
            notified: texts(&["testfs/config"]),
            logs: vec![log],
        })
    }

    async fn why(&self, subject: &str) -> Result<List<Decision>, Problem> {
        Ok(all(decisions().into_iter().filter(|d| d.object == subject || d.nid == subject).collect()))
    }
}

fn all<T>(items: Vec<T>) -> List<T> {
    List { seq: SEQ, items }
}

fn pick<T>(noun: &str, name: &str, items: Vec<T>, named: fn(&T) -> &String) -> Result<T, Problem> {
    let known: Vec<String> = items.iter().map(|item| named(item).clone()).collect();
    items.into_iter().find(|item| named(item) == name).ok_or_else(|| Problem::unknown_name(noun, name, known))
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn at(seconds: u64) -> Time {
    Time::from_unix(START + seconds)
}

/// The nodemap of session B, as the kernel shows it in stage B05f.
pub(crate) fn nodemap() -> Nodemap {
    let range = |id, start: &str, end: &str| NodemapRange {
        id,
        range: format!("{start}:{end}"),
        start: start.to_owned(),
        end: end.to_owned(),
    };
    let ids = |kind, client, fs| NodemapIds { kind, client, fs };
    let fileset = |path: &str, alternate| NodemapFileset { path: path.to_owned(), alternate, ro: false };
    Nodemap {
        seq: SEQ,
        name: "nm1".to_owned(),
        id: 1,
        admin: true,
        trusted: true,
        deny_unknown: true,
        audit_mode: false,
        forbid_encryption: true,
        readonly_mount: false,
        deny_mount: false,
        gssonly_identification: false,
        map_mode: "uid".to_owned(),
        squash_uid: 99,
        squash_gid: 99,
        squash_projid: 99,
        rbac: "file_perms,dne_ops".to_owned(),
        child_raise_privileges: "none".to_owned(),
        sepol: "1:mls:31:40afb76d077c441b69af58cccaaa2ca63641ed6e21b0a887dc21a684f508b78f".to_owned(),
        offset: None,
        caps: Some(NodemapCaps { kind: "mask".to_owned(), caps: "cap_chown".to_owned() }),
        filesets: vec![fileset("/sub", false), fileset("/sub2", true)],
        ranges: vec![range(1, "10.77.0.4@tcp", "10.77.0.6@tcp")],
        banlist: vec![range(1, "10.77.0.6@tcp", "10.77.0.6@tcp")],
        idmap: vec![
            ids(NodemapIdKind::Uid, 500, 1000),
            ids(NodemapIdKind::Gid, 501, 1001),
            ids(NodemapIdKind::Projid, 5, 10),
        ],
        exports: vec![NodemapExport {
            nid: "10.77.0.4@tcp".to_owned(),
            uuid: "c015b023-942e-48d0-bc82-bb1b9e0b49c9".to_owned(),
            banned: false,
        }],
    }
}

pub(crate) fn status() -> Status {
    Status {
        mgs_uuid: "0b5cd1b2-6f0e-4c3e-9f55-3c0a7d7b5a01".to_owned(),
        name: "MGS".to_owned(),
        version: "0.1.0".to_owned(),
        nids: texts(&["10.77.0.2@tcp", "10.78.0.2@tcp1"]),
        seq: SEQ,
        epoch: 1,
        started: at(0),
        uptime: 90_061,
        ready: true,
        not_ready: None,
        must_remount: Vec::new(),
        store: StoreInfo {
            trouble: None,
            silent_since: None,
            checked: None,
            damage: Vec::new(),
            kind: "sqlite".to_owned(),
            location: "/var/lib/mgsd/mgs.db".to_owned(),
            format: 1,
        },
        fs_count: 2,
        client_count: 2,
        fullest_log: Some(mgs_api::FullestLog {
            log: "testfs-client".to_owned(),
            used: 47,
            limit: 64_767,
            commits_left: Some(4_000),
        }),
        ir_timeout: 400,
        counters: [("connect", 3), ("dropped.malformed", 0), ("target_reg", 2)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
    }
}

fn file_systems() -> Vec<FileSystem> {
    let fs = |name: &str, uuid: &str, nidtbl_version, ir_state, target_count, generation| FileSystem {
        name: name.to_owned(),
        uuid: uuid.to_owned(),
        created: at(100),
        nidtbl_version,
        ir_state,
        ir_since: 3600,
        nonir_clients: 0,
        ir_notified: 0,
        target_count,
        registration: RegistrationPolicy::Approve,
        writeconf: Writeconf::Reapply,
        writeconf_approved: None,
        generation,
    };
    vec![
        fs("scratch", "0b5cd1b2-6f0e-4c3e-9f55-3c0a7d7b5a02", 2, IrState::Startup, 1, 3),
        fs("testfs", "0b5cd1b2-6f0e-4c3e-9f55-3c0a7d7b5a03", 5, IrState::Full, 2, 13),
    ]
}

fn targets() -> Vec<Target> {
    let scratch = Target {
        name: "scratch-MDT0000".to_owned(),
        fs: "scratch".to_owned(),
        kind: TargetKind::Mdt,
        index: 0,
        uuid: "0b5cd1b2-6f0e-4c3e-9f55-3c0a7d7b5a04".to_owned(),
        nids: texts(&["10.77.0.5@tcp"]),
        failover: Vec::new(),
        instance: None,
        state: TargetState::Registered,
        registered: Registered { seq: 42, time: at(400) },
        nidtbl_version: 0,
        params: Vec::new(),
        lustre_version: None,
    };
    let mdt = Target {
        name: "testfs-MDT0000".to_owned(),
        fs: "testfs".to_owned(),
        uuid: "0b5cd1b2-6f0e-4c3e-9f55-3c0a7d7b5a05".to_owned(),
        nids: texts(&["10.77.0.3@tcp"]),
        instance: Some(3),
        state: TargetState::Ready,
        registered: Registered { seq: 7, time: at(100) },
        nidtbl_version: 4,
        lustre_version: Some("2.17.57.0".to_owned()),
        ..scratch.clone()
    };
    let ost = Target {
        name: "testfs-OST000a".to_owned(),
        kind: TargetKind::Ost,
        index: 10,
        uuid: "0b5cd1b2-6f0e-4c3e-9f55-3c0a7d7b5a06".to_owned(),
        nids: texts(&["10.77.0.3@tcp", "10.78.0.3@tcp1"]),
        failover: vec![texts(&["10.77.0.5@tcp", "10.78.0.5@tcp1"]), texts(&["10.77.0.6@tcp"])],
        registered: Registered { seq: 9, time: at(160) },
        nidtbl_version: 5,
        params: vec![Param { name: "ost.quota_type".to_owned(), value: "ug".to_owned() }],
        ..mdt.clone()
    };
    vec![scratch, mdt, ost]
}

fn registrations() -> Vec<Registration> {
    let one = |target: &str, nid: Option<&str>, state, why: &str| Registration {
        target: target.to_owned(),
        fs: "testfs".to_owned(),
        nid: nid.map(str::to_owned),
        flags: nid.map(|_| "0x10020062".to_owned()),
        since: at(700),
        state,
        why: why.to_owned(),
    };
    vec![
        one("testfs-OST0004", Some("10.77.0.6@tcp"), RegistrationState::Waiting, ""),
        one("testfs-OST0005", Some("10.77.0.66@tcp"), RegistrationState::Refused, "refused by uid:0"),
        one("testfs-OST0006", None, RegistrationState::Approved, "approved by uid:0"),
    ]
}

fn clients() -> Vec<ClientExport> {
    let held = |resource: &str, count| LocksHeld { resource: resource.to_owned(), count };
    vec![
        ClientExport {
            uuid: "6a3f9c1e-7b1d-4f9a-8d62-2f0f3f6e9b10".to_owned(),
            nid: "10.77.0.3@tcp".to_owned(),
            kind: ClientKind::Server,
            connected: at(90),
            last_seen: at(3_600),
            flags: texts(&["version", "at", "imp_recov", "bulk_mbits"]),
            lustre_version: Some("2.17.57.0".to_owned()),
            locks: vec![held("testfs:config", 2), held("params:params", 1)],
            fetched: vec![
                LogFetched { log: "params".to_owned(), index: 3, last: 3, at: at(40) },
                LogFetched { log: "testfs-client".to_owned(), index: 31, last: 34, at: at(40) },
            ],
            conn_cnt: 4,
        },
        ClientExport {
            // A node may call itself anything; people's terminals must not pay for it.
            uuid: "evil\u{1b}[2J\nname".to_owned(),
            nid: "10.77.0.4@tcp".to_owned(),
            kind: ClientKind::Unknown,
            connected: at(700),
            last_seen: at(3_590),
            flags: Vec::new(),
            lustre_version: None,
            locks: Vec::new(),
            fetched: Vec::new(),
            conn_cnt: 1,
        },
    ]
}

fn decisions() -> Vec<Decision> {
    let asked = Decision {
        time: Time::from_unix(1_795_230_600),
        nid: "10.77.0.5@tcp".to_owned(),
        op: "mgs_connect".to_owned(),
        object: String::new(),
        status: 0,
        errno: None,
        why: String::new(),
    };
    let refused = Decision {
        time: Time::from_unix(1_795_230_601),
        op: "mgs_target_reg".to_owned(),
        object: "testfs-OST0000".to_owned(),
        status: -98,
        errno: Some("EADDRINUSE".to_owned()),
        why: "target 'testfs-OST0000': index 0 is already in use; use another --index".to_owned(),
        ..asked.clone()
    };
    vec![asked, refused]
}
