//! Mounts and unmounts: the scripts of RPCs that a kernel node runs, step by step.
//!
//! | | Steps |
//! |---|---|
//! | MDT | connect, REG, sptlrpc, nodemap, barrier lock, own log, NID table, params, client log, READY |
//! | OST | connect, REG, sptlrpc, nodemap, own log, params, client log, READY |
//! | client | sptlrpc, client log, NID table, params |
//! | umount | cancels, all at once; disconnect after the last mount |
use super::rpc::{Outcome, Owner};
use super::target::{Purpose, disk_flags};
use super::{ConsoleLine, Event, LogKey, Node, Role};
use crate::interp::{self, Interpreter};
use crate::node::{ClientOptions, Command, TargetKind, TargetOptions};
use std::collections::VecDeque;
use std::time::Duration;
use wire::mgs::ldd;
use wire::ptlrpc::connect_flags;

/// How long a target waits for its MGC: one that must register, and one that can start from its own copy of the log.
const CONNECT_WAIT: (Duration, Duration) = (Duration::from_secs(35), Duration::from_secs(10));
/// How often and how far apart it registers again.
const REGISTER_TRIES: u32 = 5;
const REGISTER_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum MountKind {
    Target { options: TargetOptions, flags: u32, instance: u32 },
    Client { options: ClientOptions },
}

/// A mounted target or client, or one on its way.
#[derive(Debug)]
pub(crate) struct Mount {
    /// `testfs-OST0000`, `testfs-client`.
    pub(crate) name: String,
    pub(crate) kind: MountKind,
    pub(crate) interp: Interpreter,
    pub(crate) up: bool,
}

impl Mount {
    pub(crate) fn fsname(&self) -> &str {
        match &self.kind {
            MountKind::Target { options, .. } => &options.fsname,
            MountKind::Client { options } => &options.fsname,
        }
    }

    /// Its logs in the order in which the requeue thread takes them.
    pub(crate) const fn requeue_order(&self) -> &'static [Role] {
        match self.kind {
            MountKind::Target { .. } => &[Role::Lwp, Role::Recover, Role::Main, Role::Barrier, Role::Params],
            MountKind::Client { .. } => &[Role::Recover, Role::Main, Role::Params],
        }
    }

    const fn cancel_order(&self) -> &'static [Role] {
        match self.kind {
            MountKind::Target { .. } => &[Role::Lwp, Role::Main, Role::Recover, Role::Params, Role::Barrier],
            MountKind::Client { .. } => &[Role::Main, Role::Recover, Role::Params],
        }
    }
}

/// One step of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect,
    Register,
    Sptlrpc {
        server: bool,
    },
    /// Read a log of the mount, or of the node, for the first time.
    Read(Role),
    /// Read a known log again.
    Again(LogKey),
    Ready,
    Mounted,
    /// The mount is broken off; the connection stays.
    Forget,
    CancelAll,
    Disconnect,
    Gone,
}

/// What a script waits for.
#[derive(Debug)]
pub(crate) enum Stage {
    Next,
    Connecting { until: Duration },
    Registering { tries: u32 },
    RegisterAgain { at: Duration, tries: u32 },
    Readying,
    Reading(super::reader::Reading),
    Cancelling,
    Disconnecting,
}

/// A script in progress.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) owner: Owner,
    /// The mount; empty for the requeue thread.
    pub(crate) name: String,
    pub(crate) steps: VecDeque<Step>,
    pub(crate) stage: Stage,
    pub(crate) failure: Option<(i32, String)>,
}

impl Task {
    pub(crate) fn new(owner: Owner, name: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            owner,
            name: name.to_owned(),
            steps: steps.into_iter().collect(),
            stage: Stage::Next,
            failure: None,
        }
    }
}

impl Node {
    pub(crate) fn start(&mut self, command: Command) {
        match command {
            Command::MountTarget(options) => self.mount_target(options, false),
            Command::Register(options) => self.mount_target(options, true),
            Command::MountClient(options) => self.mount_client(options),
            Command::Umount(name) => self.umount(&name),
            Command::Ping => self.ping(),
        }
    }

    fn mount_failed(&mut self, name: String, errno: i32, why: &str) {
        self.event(Event::MountFailed { name, errno, why: why.to_owned() });
    }

    fn mount_target(&mut self, options: TargetOptions, only_register: bool) {
        let name = options.svname();
        if self.mounts.iter().any(|m| m.name == name) {
            return self.mount_failed(name, -114, "already mounted");
        }
        let count = self.disks.get(&name).copied().unwrap_or(0);
        let flags = disk_flags(&options, count > 0);
        let instance = options.instance.unwrap_or(count + 1);
        let mdt = options.kind == TargetKind::Mdt;
        let role = if mdt { interp::Role::Mdt } else { interp::Role::Ost };
        let interp = Interpreter::new(role, &name, Vec::new());
        self.mounts.push(Mount {
            name: name.clone(),
            kind: MountKind::Target { options, flags, instance },
            interp,
            up: false,
        });
        self.ensure_connected();
        if only_register {
            let steps = [Step::Connect, Step::Register, Step::Forget, Step::Gone];
            return self.run(Task::new(Owner::Mount, &name, steps));
        }
        let mut steps =
            vec![Step::Connect, Step::Register, Step::Sptlrpc { server: true }, Step::Read(Role::Nodemap)];
        steps.extend(mdt.then_some(Step::Read(Role::Barrier)));
        steps.push(Step::Read(Role::Main));
        steps.extend(mdt.then_some(Step::Read(Role::Recover)));
        steps.extend([Step::Read(Role::Params), Step::Read(Role::Lwp), Step::Ready, Step::Mounted]);
        self.run(Task::new(Owner::Mount, &name, steps));
    }

    fn mount_client(&mut self, options: ClientOptions) {
        let name = options.name();
        if self.mounts.iter().any(|m| m.name == name) {
            return self.mount_failed(name, -114, "already mounted");
        }
        let interp = Interpreter::new(interp::Role::Client, &name, options.exclude.clone());
        let ir = !options.noir;
        self.mounts.push(Mount {
            name: name.clone(),
            kind: MountKind::Client { options },
            interp,
            up: false,
        });
        let mut steps = vec![Step::Sptlrpc { server: false }, Step::Read(Role::Main)];
        steps.extend(ir.then_some(Step::Read(Role::Recover)));
        steps.extend([Step::Read(Role::Params), Step::Mounted]);
        self.ensure_connected();
        self.run(Task::new(Owner::Mount, &name, steps));
    }

    fn umount(&mut self, name: &str) {
        if self.mounts.iter().any(|m| m.name == name) {
            self.run(Task::new(Owner::Mount, name, [Step::CancelAll, Step::Disconnect, Step::Gone]));
        } else {
            self.event(Event::Unmounted { name: name.to_owned() });
        }
    }

    /// Runs a script until it waits, then keeps it.
    pub(crate) fn run(&mut self, mut task: Task) {
        while matches!(task.stage, Stage::Next) && !self.crashed {
            let Some(step) = task.steps.pop_front() else {
                return self.task_over(&task);
            };
            self.step(&mut task, step);
        }
        match task.owner {
            Owner::Requeue => self.requeue = Some(task),
            _ => self.mount_task = Some(task),
        }
    }

    fn task_over(&mut self, task: &Task) {
        if task.owner == Owner::Requeue && self.logs.values().any(|l| l.lost) {
            self.schedule_requeue();
        }
    }

    fn step(&mut self, task: &mut Task, step: Step) {
        match step {
            Step::Connect if self.is_full() => {}
            Step::Connect => {
                let wait = if self.must_register(&task.name) { CONNECT_WAIT.0 } else { CONNECT_WAIT.1 };
                task.stage = Stage::Connecting { until: self.now + wait };
            }
            Step::Register if !self.is_full() => {
                let text =
                    format!("{}: cannot register with the MGS, starting from the local copy", task.name);
                self.console(ConsoleLine::error(text));
            }
            Step::Register => self.send_registration(task, 1),
            Step::Sptlrpc { server } => self.sptlrpc_step(task, server),
            Step::Read(role) => self.first_read(task, role),
            // One reader at a time (`cld_lock`); what stays lost is read by the next run.
            Step::Again(key) if self.mount_reads(key) => {}
            Step::Again(key) => {
                if self.logs.contains_key(&key) {
                    self.start_read(task, key);
                }
            }
            Step::Ready => {
                self.with_mount(&task.name, |node, mount| node.register(Owner::Mount, mount, Purpose::Ready));
                task.stage = Stage::Readying;
            }
            Step::Mounted => self.mount_up(&task.name),
            Step::Forget => self.forget_mount(&task.name),
            Step::CancelAll => self.cancel_all(task),
            Step::Disconnect => {
                self.forget_mount(&task.name);
                if self.mounts.is_empty() {
                    task.stage = Stage::Disconnecting;
                    self.disconnect();
                    if self.import.state == super::import::State::Idle {
                        task.stage = Stage::Next;
                    }
                }
            }
            Step::Gone => match task.failure.take() {
                Some((errno, why)) => self.mount_failed(task.name.clone(), errno, &why),
                None => self.event(Event::Unmounted { name: task.name.clone() }),
            },
        }
    }

    /// The mount that is under way is in the middle of this log.
    fn mount_reads(&self, key: LogKey) -> bool {
        let stage = self.mount_task.as_ref().map(|task| &task.stage);
        matches!(stage, Some(Stage::Reading(reading)) if reading.key == key)
    }

    /// The mount itself went wrong: undo it.
    pub(crate) fn fail(&mut self, task: &mut Task, errno: i32, why: String) {
        task.failure = Some((errno, why));
        task.steps = [Step::CancelAll, Step::Disconnect, Step::Gone].into();
        task.stage = Stage::Next;
    }

    fn send_registration(&mut self, task: &mut Task, tries: u32) {
        self.with_mount(&task.name, |node, mount| node.register(Owner::Mount, mount, Purpose::Register));
        task.stage = Stage::Registering { tries };
    }

    /// The MGS has to write or change logs for the target; it cannot start without.
    fn must_register(&self, name: &str) -> bool {
        let needs = ldd::VIRGIN | ldd::UPDATE | ldd::WRITECONF | ldd::NEED_INDEX;
        let mount = self.mounts.iter().find(|m| m.name == name);
        mount.is_some_and(|m| matches!(m.kind, MountKind::Target { flags, .. } if flags & needs != 0))
    }

    pub(crate) fn is_target(&self, name: &str) -> bool {
        self.mounts.iter().any(|m| m.name == name && matches!(m.kind, MountKind::Target { .. }))
    }

    /// Calls with a mount taken out of the list for the time of the call.
    pub(crate) fn with_mount<T>(
        &mut self,
        name: &str,
        f: impl FnOnce(&mut Self, &mut Mount) -> T,
    ) -> Option<T> {
        let at = self.mounts.iter().position(|m| m.name == name)?;
        let mut mount = self.mounts.remove(at);
        let result = f(self, &mut mount);
        self.mounts.insert(at.min(self.mounts.len()), mount);
        Some(result)
    }

    /// The sptlrpc log is shared by all mounts of a file system. The first target opens it a second time, later ones
    /// open it once, with a lock of their own when it was lost; that one is cancelled at once.
    fn sptlrpc_step(&mut self, task: &mut Task, server: bool) {
        let Some(fsname) = self.mounts.iter().find(|m| m.name == task.name).map(|m| m.fsname().to_owned())
        else {
            return;
        };
        let name = format!("{fsname}-sptlrpc");
        let known = self.logs.iter().find(|(_, l)| l.name == name).map(|(k, l)| (*k, l.lock.is_some()));
        match known {
            None => {
                let Some(key) = self.add_log("", Role::Sptlrpc, &name) else {
                    return self.fail(
                        task,
                        -22,
                        format!("file system name {fsname} is longer than 8 characters"),
                    );
                };
                self.start_read(task, key);
                self.set_opens(task, if server { 2 } else { 1 });
            }
            Some((key, true)) if server => self.open_only(task, key),
            Some((key, false)) if server => {
                self.start_read(task, key);
                self.set_cancel_after(task);
            }
            Some(_) => {}
        }
    }

    fn first_read(&mut self, task: &mut Task, role: Role) {
        let Some(mount) = self.mounts.iter().find(|m| m.name == task.name) else { return };
        let (fs, own) = (mount.fsname().to_owned(), mount.name.clone());
        let target = matches!(mount.kind, MountKind::Target { .. });
        let (owner, name) = match role {
            Role::Nodemap if self.logs.values().any(|l| l.role == Role::Nodemap) => return,
            Role::Nodemap => ("", "nodemap".to_owned()),
            // What was asked for counts until an MGS has answered.
            Role::Recover if self.cfg.noir => return,
            Role::Recover if self.is_full() && !self.rpc.has(connect_flags::IMP_RECOV) => return,
            Role::Recover => (own.as_str(), format!("{fs}-{}", if target { "mdtir" } else { "cliir" })),
            Role::Params => (own.as_str(), "params".to_owned()),
            Role::Barrier => (own.as_str(), format!("{fs}-barrier")),
            Role::Lwp => (own.as_str(), format!("{fs}-client")),
            Role::Main | Role::Sptlrpc => (own.as_str(), own.clone()),
        };
        match self.add_log(owner, role, &name) {
            Some(key) => self.start_read(task, key),
            None => self.fail(task, -22, format!("{name}: name does not fit a lock resource")),
        }
    }

    fn mount_up(&mut self, name: &str) {
        let done = self.with_mount(name, |_, mount| {
            mount.up = true;
            (Box::new(mount.interp.tree().clone()), matches!(mount.kind, MountKind::Target { .. }))
        });
        let Some((config, target)) = done else { return };
        if target {
            *self.disks.entry(name.to_owned()).or_insert(0) += 1;
        } else {
            self.console(ConsoleLine::info(format!("Mounted {name}")));
        }
        self.event(Event::Mounted { name: name.to_owned(), config });
    }

    fn cancel_all(&mut self, task: &mut Task) {
        let Some(mount) = self.mounts.iter().find(|m| m.name == task.name) else { return };
        let full = self.is_full();
        for role in mount.cancel_order() {
            let found = self.logs.iter().find(|(_, l)| l.owner == task.name && l.role == *role);
            let Some((key, lock)) = found.map(|(k, l)| (*k, l.lock)) else { continue };
            self.logs.remove(&key);
            match lock {
                Some(cookie) if full => self.drop_lock(cookie, Owner::UmountCancel),
                Some(cookie) => {
                    self.locks.held.remove(&cookie);
                }
                None => {}
            }
        }
        if self.rpc.busy(Owner::UmountCancel) {
            task.stage = Stage::Cancelling;
        }
    }

    /// Removes the mount; the last one of a file system takes the sptlrpc log along.
    fn forget_mount(&mut self, name: &str) {
        let Some(at) = self.mounts.iter().position(|m| m.name == name) else { return };
        let mount = self.mounts.remove(at);
        if self.mounts.iter().all(|m| m.fsname() != mount.fsname()) {
            let sptlrpc = format!("{}-sptlrpc", mount.fsname());
            self.logs.retain(|_, l| l.name != sptlrpc);
        }
    }

    /// An answer for a script.
    pub(crate) fn task_outcome(&mut self, outcome: Outcome) {
        let slot = if outcome.owner == Owner::Requeue { &mut self.requeue } else { &mut self.mount_task };
        let Some(mut task) = slot.take() else { return };
        match std::mem::replace(&mut task.stage, Stage::Next) {
            Stage::Registering { tries } => self.registered(&mut task, &outcome, tries),
            Stage::Readying => {
                let name = task.name.clone();
                self.with_mount(&name, |node, mount| node.on_registered(mount, &outcome, Purpose::Ready));
            }
            Stage::Reading(reading) => self.read_on(&mut task, reading, outcome),
            Stage::Cancelling if self.rpc.busy(Owner::UmountCancel) => task.stage = Stage::Cancelling,
            Stage::Cancelling => {}
            other => task.stage = other,
        }
        self.run(task);
    }

    fn registered(&mut self, task: &mut Task, outcome: &Outcome, tries: u32) {
        let lost = outcome.message.is_none() && matches!(outcome.status, -5 | -108);
        if lost && tries < REGISTER_TRIES {
            task.stage = Stage::RegisterAgain { at: self.now + REGISTER_PAUSE, tries: tries + 1 };
            return;
        }
        let name = task.name.clone();
        let result =
            self.with_mount(&name, |node, mount| node.on_registered(mount, outcome, Purpose::Register));
        if let Some(Err((errno, why))) = result {
            self.fail(task, errno, why);
        }
    }

    /// The connection is there.
    pub(crate) fn on_full(&mut self) {
        if let Some(Task { stage: Stage::Connecting { .. }, .. }) = self.mount_task
            && let Some(mut task) = self.mount_task.take()
        {
            task.stage = Stage::Next;
            self.run(task);
        }
    }

    /// The MGC of the last mount is gone.
    pub(crate) fn umount_disconnected(&mut self) {
        if let Some(Task { stage: Stage::Disconnecting, .. }) = self.mount_task
            && let Some(mut task) = self.mount_task.take()
        {
            task.stage = Stage::Next;
            self.run(task);
        }
    }

    pub(crate) fn mount_timeout(&self) -> Option<Duration> {
        match self.mount_task.as_ref()?.stage {
            Stage::Connecting { until } => Some(until),
            Stage::RegisterAgain { at, .. } => Some(at),
            _ => None,
        }
    }

    pub(crate) fn mount_timers(&mut self) {
        if self.mount_timeout().is_none_or(|at| at > self.now) {
            return;
        }
        let Some(mut task) = self.mount_task.take() else { return };
        match task.stage {
            Stage::RegisterAgain { tries, .. } => self.send_registration(&mut task, tries),
            _ if self.must_register(&task.name) => {
                self.fail(&mut task, -110, "no connection to the MGS".to_owned());
            }
            _ => task.stage = Stage::Next,
        }
        self.run(task);
    }
}
