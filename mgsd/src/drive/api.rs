//! The HTTP API's questions, answered from the engine between two of its inputs.

use super::Handle;
use super::nodemap;
use super::observe::Observer;
use super::rules;
use crate::http::nodemap::id_kind;
use crate::http::{LogFile, Mgs, Order};
use crate::store_check::Checked;
use async_trait::async_trait;
use bytes::Bytes;
use mgs_api::{
    Barrier, Chain, Change, ChangeReach, ClientExport, ClientKind, Commit, Connections, Decision,
    EffectiveParam, FileSystem, FullestLog, IrState, List, LocksHeld, Log, LogChange, LogReader, Mgt,
    MustRemount, Nodemap, NodemapIdKind, NodemapTest, Nodemaps, Param, ParamEvent, ParamInForce, ParamPolicy,
    Pool, Problem, ProblemKind, Programs, Registered, Registration, RegistrationRules, Reservation, Status,
    StoreInfo, Target, TargetKind, TargetState, Time,
};
use mgs_core::engine::Engine;
use mgs_core::export::Export;
use mgs_core::model::command::{Done, pool};
use mgs_core::model::effective::effective;
use mgs_core::model::names::{TargetId, log_base};
use mgs_core::model::view::Fs;
use mgs_core::model::{self, Resource, params, recovery};
use mgs_core::{Errno, Error, Now};
use std::collections::BTreeMap;
use wire::ptlrpc::connect_flags as cf;

/// What the daemon says of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name in the configuration.
    pub name: Option<String>,
    /// NIDs served.
    pub nids: Vec<wire::Nid>,
    /// What the last check of the store found.
    pub checked: tokio::sync::watch::Receiver<Checked>,
    /// Kind of store.
    pub store: StoreInfo,
    /// Unix seconds.
    pub started: u64,
}

pub(super) fn time(unix: i64) -> Time {
    Time::from_unix(u64::try_from(unix).unwrap_or(0))
}

fn version(v: u32) -> Option<String> {
    (v != 0).then(|| format!("{}.{}.{}.{}", v >> 24, (v >> 16) & 0xff, (v >> 8) & 0xff, v & 0xff))
}

fn ir_state(engine: &Engine, fs: &str, now: Now) -> IrState {
    match engine.ir_state(fs, now) {
        recovery::IrState::Startup => IrState::Startup,
        recovery::IrState::Full => IrState::Full,
        recovery::IrState::Partial => IrState::Partial,
        recovery::IrState::Disabled => IrState::Disabled,
    }
}

fn fs_of(engine: &Engine, name: &str, fs: &Fs, now: Now) -> FileSystem {
    let ir = engine.ir_status(name, now);
    FileSystem {
        name: name.to_owned(),
        uuid: fs.head.uuid.clone(),
        created: time(fs.head.created),
        nidtbl_version: fs.head.nidtbl_version,
        ir_state: ir_state(engine, name, now),
        ir_since: ir.since.as_secs(),
        nonir_clients: ir.nonir_clients as u64,
        ir_notified: ir.notified,
        target_count: fs.targets.len() as u64,
        registration: rules::policy(fs.head.registration),
        writeconf: super::params::writeconf(fs.head.writeconf),
        writeconf_approved: engine.view().rules.leaves.get(name).map(|leave| time(leave.until)),
        generation: fs.head.generation,
    }
}

fn target_of(fs_name: &str, fs: &Fs, id: TargetId, t: &model::view::Target) -> Target {
    let running = fs.nidtbl.get(&id);
    let texts = |nids: &[wire::Nid]| nids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let nodes = t.failover.iter().flat_map(|v| params::failover_nodes(v));
    let words = params::split("", &t.params).unwrap_or_default();
    let param = |w: String| {
        let (name, value) = w.split_once('=').unwrap_or((&w, ""));
        Param { name: name.to_owned(), value: value.to_owned() }
    };
    Target {
        name: id.svname(fs_name),
        fs: fs_name.to_owned(),
        kind: match id.kind {
            model::TargetKind::Mdt => TargetKind::Mdt,
            model::TargetKind::Ost => TargetKind::Ost,
        },
        index: u16::try_from(id.index).unwrap_or(u16::MAX),
        uuid: t.id.clone(),
        nids: running.map_or_else(|| texts(&t.nids), |e| texts(&e.nids)),
        failover: nodes.map(|n| texts(&n)).collect(),
        instance: running.map(|e| e.instance),
        state: if t.ready { TargetState::Ready } else { TargetState::Registered },
        registered: Registered { seq: t.registered.seq, time: time(t.registered.time) },
        nidtbl_version: running.map_or(0, |e| e.version),
        params: words.into_iter().map(param).collect(),
        lustre_version: version(t.lustre_version),
    }
}

/// Why this daemon should not be the one that nodes come to.
fn not_ready(engine: &Engine) -> Option<&'static str> {
    match (engine.is_ready(), engine.store_silent_since()) {
        (false, _) => Some("the store does not yet hold this MGS"),
        (true, Some(_)) => Some("the store does not answer: logs are served on, nothing is changed"),
        (true, None) => None,
    }
}

fn must_remount((nid, logs): (wire::Nid, std::collections::BTreeSet<String>)) -> MustRemount {
    MustRemount { nid: nid.to_string(), logs: logs.into_iter().collect() }
}

fn store(engine: &Engine, identity: &Identity) -> StoreInfo {
    let checked = identity.checked.borrow();
    StoreInfo {
        trouble: engine.store_trouble(),
        silent_since: engine.store_silent_since().map(time),
        checked: Some(Time::from_unix(checked.at)),
        damage: checked.damage.clone(),
        ..identity.store.clone()
    }
}

fn client_of(engine: &Engine, export: &Export) -> ClientExport {
    let mut held: BTreeMap<String, u32> = BTreeMap::new();
    for lock in engine.locks().of_export(export.cookie) {
        let name = match lock.resource.parse_config() {
            Some((base, kind)) => Resource::new(base, kind).to_string(),
            None => format!("{:x?}", lock.resource.0),
        };
        *held.entry(name).or_default() += 1;
    }
    const FLAGS: [(u64, &str); 8] = [
        (cf::VERSION, "version"),
        (cf::MGS_NIDLIST, "mgs_nidlist"),
        (cf::BARRIER, "barrier"),
        (cf::AT, "adaptive_timeouts"),
        (cf::FULL20, "full20"),
        (cf::IMP_RECOV, "imperative_recovery"),
        (cf::BULK_MBITS, "bulk_mbits"),
        (cf::FLAGS2, "flags2"),
    ];
    const FLAGS2: [(u64, &str); 2] = [(cf::REP_MBITS, "reply_mbits"), (cf::LARGE_NID, "large_nid")];
    let first = FLAGS.iter().filter(|(bit, _)| export.has(*bit));
    let second = FLAGS2.iter().filter(|(bit, _)| export.has2(*bit));
    ClientExport {
        uuid: export.uuid.clone(),
        nid: export.address.peer.to_string(),
        kind: if !export.targets.is_empty() {
            ClientKind::Server
        } else if !export.fs.is_empty() {
            ClientKind::Client
        } else {
            ClientKind::Unknown
        },
        connected: time(export.connected),
        last_seen: time(export.last_seen_wall),
        flags: first.chain(second).map(|(_, name)| (*name).to_owned()).collect(),
        lustre_version: version(export.version),
        locks: held.into_iter().map(|(resource, count)| LocksHeld { resource, count }).collect(),
        fetched: super::params::fetched(engine, export),
        conn_cnt: export.conn_cnt,
    }
}

fn unknown_fs(engine: &Engine, name: &str) -> Problem {
    Problem::unknown_name("fs", name, engine.view().fs.keys())
}

/// Keeps what belongs to the file system of a filter.
fn check_filter(engine: &Engine, fs: Option<&str>) -> Result<(), Problem> {
    match fs {
        Some(name) if !engine.view().fs.contains_key(name) => Err(unknown_fs(engine, name)),
        _ => Ok(()),
    }
}

impl Handle {
    fn open_store(&self) -> Result<std::sync::Arc<dyn store_backends::Store>, Problem> {
        let gone = || Problem::new(ProblemKind::NotNow, "mgsd", "is stopping").hint("try again");
        self.store.upgrade().ok_or_else(gone)
    }

    async fn answer<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Now) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.observed(|engine, now, _| question(engine, now)).await
    }

    async fn observed<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Now, &Observer) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let answer = self.ask(question).await;
        answer.unwrap_or_else(|| {
            Err(Problem::new(ProblemKind::NotNow, "mgsd", "is stopping").hint("try again"))
        })
    }

    async fn list<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine, Now) -> Result<Vec<T>, Problem> + Send + 'static,
    ) -> Result<List<T>, Problem> {
        self.answer(|engine, now| Ok(List { seq: engine.view().seq, items: question(engine, now)? })).await
    }
}

#[async_trait]
impl Mgs for Handle {
    async fn status(&self) -> Result<Status, Problem> {
        let identity = std::sync::Arc::clone(&self.identity);
        self.answer(move |engine, now| {
            let meta = engine.view().meta.as_ref();
            let wall = u64::try_from(now.wall).unwrap_or(0);
            Ok(Status {
                mgs_uuid: meta.map(|m| m.uuid.clone()).unwrap_or_default(),
                name: identity.name.clone().or(meta.map(|m| m.name.clone())).unwrap_or_default(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                nids: identity.nids.iter().map(ToString::to_string).collect(),
                seq: engine.view().seq,
                epoch: meta.map_or(0, |m| m.epoch),
                started: Time::from_unix(identity.started),
                uptime: wall.saturating_sub(identity.started),
                ready: not_ready(engine).is_none(),
                not_ready: not_ready(engine).map(str::to_owned),
                must_remount: engine.must_remount().into_iter().map(must_remount).collect(),
                store: store(engine, &identity),
                fs_count: engine.view().fs.len() as u64,
                client_count: engine.exports().len() as u64,
                ir_timeout: engine.ir_timeout().as_secs(),
                counters: engine.counters().iter().map(|(k, v)| (k.to_owned(), v)).collect(),
                fullest_log: engine.view().fullest_log().map(|(log, b)| FullestLog {
                    log: log.to_owned(),
                    used: b.used,
                    limit: b.limit,
                    commits_left: b.commits_left(),
                }),
            })
        })
        .await
    }

    async fn fs_list(&self) -> Result<List<FileSystem>, Problem> {
        self.list(|e, now| Ok(e.view().fs.iter().map(|(n, fs)| fs_of(e, n, fs, now)).collect())).await
    }

    async fn fs(&self, name: &str) -> Result<FileSystem, Problem> {
        let name = name.to_owned();
        self.answer(move |e, now| {
            let fs = e.view().fs.get(&name).ok_or_else(|| unknown_fs(e, &name))?;
            Ok(fs_of(e, &name, fs, now))
        })
        .await
    }

    async fn targets(&self, fs: Option<&str>) -> Result<List<Target>, Problem> {
        let only = fs.map(str::to_owned);
        self.list(move |e, _| {
            check_filter(e, only.as_deref())?;
            let wanted = e.view().fs.iter().filter(|(n, _)| only.as_ref().is_none_or(|o| o == *n));
            Ok(wanted
                .flat_map(|(n, fs)| fs.targets.iter().map(move |(id, t)| target_of(n, fs, *id, t)))
                .collect())
        })
        .await
    }

    async fn target(&self, name: &str) -> Result<Target, Problem> {
        let name = name.to_owned();
        self.answer(move |e, _| {
            let (base, rest) = name.rsplit_once('-').unwrap_or((&name, ""));
            let found = e.view().fs.get(base).zip(TargetId::parse(rest)).and_then(|(fs, id)| {
                let target = fs.targets.get(&id)?;
                Some(target_of(base, fs, id, target))
            });
            let known = e.view().fs.iter().flat_map(|(n, fs)| fs.targets.keys().map(move |id| id.svname(n)));
            found.ok_or_else(|| Problem::unknown_name("target", &name, known))
        })
        .await
    }

    async fn barrier(&self, fs: &str) -> Result<Barrier, Problem> {
        let name = fs.to_owned();
        self.answer(move |e, now| {
            if !e.view().fs.contains_key(&name) {
                return Err(unknown_fs(e, &name));
            }
            let barrier = e.barrier(&name, now);
            Ok(Barrier {
                state: barrier.state.as_str().to_owned(),
                // A second that has begun counts.
                left: barrier.left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
                mdts: barrier.mdts as u64,
                absent: barrier.absent as u64,
                fs: name,
            })
        })
        .await
    }

    async fn connections(&self) -> Result<Connections, Problem> {
        self.answer(|e, _| {
            let now = &e.view().connections;
            let denied = now.denied.iter().map(ToString::to_string).collect();
            Ok(Connections { closed: now.closed, denied })
        })
        .await
    }

    async fn clients(&self) -> Result<List<ClientExport>, Problem> {
        self.list(|e, _| {
            let mut exports: Vec<&Export> = e.exports().iter().collect();
            exports.sort_by_key(|x| (x.address.peer, x.uuid.clone()));
            Ok(exports.into_iter().map(|x| client_of(e, x)).collect())
        })
        .await
    }

    async fn logs(&self, fs: Option<&str>) -> Result<List<Log>, Problem> {
        let only = fs.map(str::to_owned);
        self.list(move |e, now| {
            check_filter(e, only.as_deref())?;
            let wanted = e.view().logs.iter().filter(|(n, _)| only.as_ref().is_none_or(|o| log_base(n) == o));
            Ok(super::logs::list(e, now, wanted))
        })
        .await
    }

    async fn log_readers(&self, name: &str) -> Result<List<LogReader>, Problem> {
        let name = name.to_owned();
        self.list(move |e, _| super::logs::readers(e, &name)).await
    }

    async fn log_file(&self, name: &str) -> Result<LogFile, Problem> {
        let name = name.to_owned();
        self.answer(move |e, _| {
            let entry = e.view().logs.get(&name);
            let entry = entry.ok_or_else(|| Problem::unknown_name("log", &name, e.view().logs.keys()))?;
            Ok(LogFile { seq: e.view().seq, bytes: entry.log.to_file().into() })
        })
        .await
    }

    async fn client_record(&self, nid: &str) -> Result<Bytes, Problem> {
        let text = nid.to_owned();
        self.observed(move |_, _, observer| {
            let pcap = text.parse().ok().and_then(|nid| observer.recorder.pcap(nid));
            let known = observer.recorder.peers().map(|nid| nid.to_string());
            pcap.map(Bytes::from).ok_or_else(|| Problem::unknown_name("client", &text, known))
        })
        .await
    }

    async fn commits(&self, after: u64, limit: u32) -> Result<List<Commit>, Problem> {
        let items = super::audit::list(self.open_store()?.as_ref(), after, limit).await?;
        self.answer(move |engine, _| Ok(List { seq: engine.view().seq, items })).await
    }

    async fn commit_chain(&self) -> Result<Chain, Problem> {
        super::audit::verify(self.open_store()?.as_ref()).await
    }

    async fn params(&self, fs: Option<&str>) -> Result<List<ParamInForce>, Problem> {
        let only = fs.map(str::to_owned);
        let List { seq, items } = self
            .list(move |e, _| {
                check_filter(e, only.as_deref())?;
                Ok(super::params::listed(e, only.as_deref()))
            })
            .await?;
        let (mut items, written): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        super::authors::of_list(self.open_store()?.as_ref(), &mut items, &written).await;
        Ok(List { seq, items })
    }

    async fn param_effective(&self, target: &str, name: &str) -> Result<EffectiveParam, Problem> {
        let (target, name) = (target.to_owned(), name.to_owned());
        let mut found = self
            .answer(move |e, now| {
                let found = effective(e.view(), now.wall, &target, &name).map_err(|error| problem(&error))?;
                Ok(super::params::effective(found))
            })
            .await?;
        super::authors::of_told(self.open_store()?.as_ref(), &mut found).await;
        Ok(found)
    }

    async fn param_history(&self, name: &str) -> Result<List<ParamEvent>, Problem> {
        let items = super::params::history(self.open_store()?.as_ref(), name).await?;
        self.answer(move |engine, _| Ok(List { seq: engine.view().seq, items })).await
    }

    async fn param_status(&self, seq: Option<u64>) -> Result<ChangeReach, Problem> {
        self.answer(move |engine, _| super::params::reach(engine, seq)).await
    }

    async fn param_programs(&self) -> Result<Programs, Problem> {
        self.answer(|engine, _| {
            Ok(Programs {
                usual: tunables::Policy::default().executables,
                allowed: engine.view().settings.policy.programs.iter().cloned().collect(),
            })
        })
        .await
    }

    async fn param_policy(&self) -> Result<ParamPolicy, Problem> {
        self.answer(|engine, _| {
            Ok(ParamPolicy {
                validation: super::params::validation(engine.view().settings.policy.validation),
            })
        })
        .await
    }

    async fn pools(&self, fs: Option<&str>) -> Result<List<Pool>, Problem> {
        let only = fs.map(str::to_owned);
        self.list(move |e, _| {
            check_filter(e, only.as_deref())?;
            let wanted = e.view().fs.keys().filter(|n| only.as_ref().is_none_or(|o| o == *n));
            let of = |fs: &String| {
                let log = e.view().logs.get(&model::names::client_log(fs)).map(|entry| &entry.log);
                let fs = fs.clone();
                pool::pools(&fs, log).into_iter().map(move |(name, members)| Pool {
                    fs: fs.clone(),
                    name,
                    members: members.into_iter().collect(),
                })
            };
            Ok(wanted.flat_map(of).collect())
        })
        .await
    }

    async fn security_rules(&self, fs: Option<&str>) -> Result<List<mgs_api::SecurityRule>, Problem> {
        let only = fs.map(str::to_owned);
        self.list(move |e, _| {
            check_filter(e, only.as_deref())?;
            Ok(nodemap::security_rules(e, only.as_deref()))
        })
        .await
    }

    async fn export(&self) -> Result<Mgt, Problem> {
        self.answer(|e, _| Ok(super::mgt::export(e))).await
    }

    async fn nodemaps(&self) -> Result<Nodemaps, Problem> {
        self.answer(|e, _| Ok(nodemap::list(e))).await
    }

    async fn nodemap(&self, name: &str) -> Result<Nodemap, Problem> {
        let name = name.to_owned();
        self.answer(move |e, _| nodemap::one(e, &name)).await
    }

    async fn nodemap_test(
        &self,
        nid: &str,
        id: Option<(NodemapIdKind, u32)>,
    ) -> Result<NodemapTest, Problem> {
        let (nid, id) = (nid.to_owned(), id.map(|(kind, id)| (id_kind(kind), id)));
        self.answer(move |e, _| nodemap::test(e, &nid, id)).await
    }

    async fn registrations(&self) -> Result<List<Registration>, Problem> {
        self.list(|e, _| Ok(e.applicants().into_iter().map(rules::registration).collect())).await
    }

    async fn registration_rules(&self) -> Result<RegistrationRules, Problem> {
        self.answer(|e, _| Ok(rules::rules(e))).await
    }

    async fn reservations(&self, fs: Option<&str>) -> Result<List<Reservation>, Problem> {
        let only = fs.map(str::to_owned);
        self.list(move |e, _| Ok(rules::reservations(e, only.as_deref()))).await
    }

    async fn change(&self, order: Order) -> Result<Change, Problem> {
        let dry_run = order.dry_run;
        match self.order(order).await {
            Some(Ok(done)) => Ok(change(*done, dry_run)),
            Some(Err(error)) => Err(problem(&error)),
            None => {
                Err(Problem::new(ProblemKind::Timeout, "mgsd", "stopped meanwhile; the outcome is unknown")
                    .hint("see 'mgsctl audit list' when it runs again"))
            }
        }
    }

    async fn why(&self, subject: &str) -> Result<List<Decision>, Problem> {
        let subject = subject.to_owned();
        self.observed(move |engine, _, observer| {
            let items = observer.journal.about(&subject).into_iter().map(decision).collect();
            Ok(List { seq: engine.view().seq, items })
        })
        .await
    }
}

fn change(done: Done, dry_run: bool) -> Change {
    let events = done.events.iter().filter_map(|event| serde_json::to_value(event).ok());
    let logs = done.logs.into_iter().map(|log| LogChange {
        log: log.log,
        erased: log.erased,
        edited: log.edited,
        cancelled: log.cancelled,
        appended: log.appended,
    });
    Change {
        seq: done.seq,
        warnings: done.warnings,
        dry_run,
        events: events.collect(),
        notified: done.notified.iter().map(ToString::to_string).collect(),
        logs: logs.collect(),
    }
}

/// An error of the core as the API says no.
fn problem(error: &Error) -> Problem {
    let of = |kind| Problem::new(kind, "change", error.to_string());
    match error {
        Error::Refused { object, what, hint, errno } | Error::Forbidden { object, what, hint, errno, .. } => {
            let kind = match *errno {
                Errno::ENOENT | Errno::ENODEV => ProblemKind::UnknownName,
                _ => ProblemKind::Refused,
            };
            Problem::new(kind, object.clone(), what.clone()).hint(hint.clone()).errno(errno.name())
        }
        Error::Malformed(_) => of(ProblemKind::Malformed),
        Error::PeerMisbehaved { .. } | Error::Unsupported { .. } => of(ProblemKind::Refused),
        Error::NotNow { .. } => of(ProblemKind::NotNow),
        Error::Storage { .. } => of(ProblemKind::Storage),
        Error::Bug { .. } => of(ProblemKind::Bug),
    }
}

fn decision(d: crate::recorder::Decision) -> Decision {
    let errno = Errno::from_status(d.status).and_then(Errno::name);
    Decision {
        time: time(d.time),
        nid: d.nid.to_string(),
        op: d.op.to_owned(),
        object: d.object,
        status: d.status,
        errno: errno.map(str::to_owned),
        why: d.why,
    }
}
