//! Registration of targets: REG at mount, READY with the instance, READY again after a reconnect.
use super::lock::pid;
use super::rpc::{CONNECT_WAIT, Call, Outcome, Owner};
use super::{ConsoleLine, Event, Mount, MountKind, Node, Violation};
use crate::node::{TargetKind, TargetOptions, TargetState};
use bytes::Bytes;
use std::time::Duration;
use wire::mgs::{TargetInfo, TargetNidList, ldd, mtn};
use wire::ptlrpc::{connect_flags, opc};
use wire::{Codec, Nid};

/// Time a plain registration may take, and one that needs logs written.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));
/// Longest inline list: what fits a request beside the rest.
const INLINE_NIDS: usize = 38;
/// Slots of the array of 64-bit NIDs.
const SLOTS: usize = 32;
const NID_TEXT: usize = 64;
const MTI: u32 = 4544;
const REPLY_HEAD: u32 = 224;

/// Why a registration is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Before the target starts.
    Register,
    /// The target is up.
    Ready,
    /// The MGS came back.
    Notify,
}

/// `mti_flags` that belong to the disk: type and state.
pub(crate) fn disk_flags(options: &TargetOptions, known: bool) -> u32 {
    let kind = match options.kind {
        TargetKind::Mdt => ldd::SV_TYPE_MDT,
        TargetKind::Ost => ldd::SV_TYPE_OST,
    };
    let state = match options.state {
        TargetState::Virgin => ldd::VIRGIN | ldd::UPDATE,
        TargetState::Automatic if !known => ldd::VIRGIN | ldd::UPDATE,
        TargetState::Writeconf => ldd::WRITECONF | ldd::UPDATE,
        TargetState::Update => ldd::UPDATE,
        TargetState::Registered | TargetState::Automatic => 0,
    };
    kind | state | if options.servicenodes.is_empty() { 0 } else { ldd::NO_PRIMNODE }
}

/// Each parameter with one space behind it, failover nodes last.
fn params(options: &TargetOptions) -> String {
    let mut out: String = options.params.iter().map(|p| format!("{p} ")).collect();
    let nodes: Vec<&Vec<Nid>> = options.failnodes.iter().chain(&options.servicenodes).collect();
    if !nodes.is_empty() {
        let text = |nids: &Vec<Nid>| nids.iter().map(Nid::to_string).collect::<Vec<_>>().join(",");
        let list: Vec<String> = nodes.into_iter().map(text).collect();
        out.push_str(&format!("failover.node={} ", list.join(":")));
    }
    out
}

impl Node {
    /// NIDs that a target states: those of this node.
    fn stated_nids(&self, options: &TargetOptions) -> Vec<Nid> {
        let mut nids = vec![self.cfg.nid];
        nids.extend(&options.more_nids);
        nids
    }

    /// MGS_TARGET_REG in the form that release and negotiated flags lead to.
    pub(crate) fn register(&mut self, owner: Owner, mount: &Mount, purpose: Purpose) {
        let MountKind::Target { options, flags, instance } = &mount.kind else { return };
        let nids = self.stated_nids(options);
        let large = self.dialect.large_nid && self.rpc.granted2 & connect_flags::LARGE_NID != 0;
        let list = large && self.rpc.has(connect_flags::MGS_NIDLIST) && !options.before_connected;
        let disk =
            if purpose == Purpose::Notify { flags & (ldd::SV_TYPE_MDT | ldd::SV_TYPE_OST) } else { *flags };
        let operation = if purpose == Purpose::Register { ldd::OPC_REG } else { ldd::OPC_READY };
        let texts: Vec<String> = nids.iter().map(Nid::to_string).collect();
        let info = TargetInfo {
            lustre_ver: if purpose == Purpose::Notify { 0 } else { self.dialect.version },
            stripe_index: options.index,
            config_ver: 0,
            flags: disk | operation | if large { ldd::LARGE_NID } else { 0 },
            nid_count: u32::try_from(nids.len()).unwrap_or(u32::MAX),
            instance: if purpose == Purpose::Register { 0 } else { *instance },
            fsname: options.fsname.clone(),
            svname: mount.name.clone(),
            uuid: String::new(),
            nids: slots(if large { &[] } else { &nids }),
            params: if purpose == Purpose::Notify { String::new() } else { params(options) },
            nidlist: if large && !list { texts.clone() } else { Vec::new() },
        };
        let mut buffers = vec![Bytes::from(info.to_vec(self.cfg.order))];
        let tail = u32::try_from(info.nidlist.len() * NID_TEXT).unwrap_or(0);
        let mut exposed = None;
        if self.cfg.release >= super::Release::V2_17 {
            let inline = if list && texts.len() <= INLINE_NIDS { texts.clone() } else { Vec::new() };
            let append = if purpose == Purpose::Notify { mtn::APPEND } else { 0 };
            let bulk = if list && inline.is_empty() { mtn::IN_BULK } else { 0 };
            if bulk != 0 {
                exposed = Some(nid_entries(&texts));
            }
            let count = if list { info.nid_count } else { 0 };
            let mtn = TargetNidList { flags: append | bulk, count, inline };
            buffers.push(mtn.to_vec(self.cfg.order).into());
        }
        let slow = disk & (ldd::UPDATE | ldd::NEED_INDEX) != 0;
        let call = Call {
            opc: opc::MGS_TARGET_REG,
            buffers,
            repsize: REPLY_HEAD + MTI + tail,
            bulk_room: None,
            exposed,
            pid: pid::MOUNT,
            patience: Some(if slow { PATIENCE.1 } else { PATIENCE.0 }),
            connect_wait: if slow { CONNECT_WAIT } else { PATIENCE.0 },
        };
        self.call(owner, call);
    }

    /// The answer to REG or READY of a mount: `Err` ends the mount.
    pub(crate) fn on_registered(
        &mut self,
        mount: &mut Mount,
        outcome: &Outcome,
        purpose: Purpose,
    ) -> Result<(), (i32, String)> {
        let target = mount.name.clone();
        let MountKind::Target { flags, .. } = &mut mount.kind else { return Ok(()) };
        let indispensable = *flags & (ldd::VIRGIN | ldd::UPDATE | ldd::WRITECONF | ldd::NEED_INDEX) != 0;
        let info = outcome.message.as_ref().map(|m| m.buffer(1).and_then(|mut r| TargetInfo::decode(&mut r)));
        let Some(Ok(info)) = info else {
            // No target info: taken for a failure of communication, which only a new target cannot live with.
            if outcome.message.is_some() {
                let what = "reply without a whole target info".to_owned();
                self.violation(Violation::Registration { target, what });
                return Err((-71, "reply of the MGS is too short".to_owned()));
            }
            if outcome.status == 0 || !indispensable || purpose == Purpose::Ready {
                let text =
                    format!("{target}: cannot register this server with the MGS: rc = {}", outcome.status);
                self.console(ConsoleLine::error(text));
                return Ok(());
            }
            return Err((outcome.status, "Communication error with the MGS at registration".to_owned()));
        };
        let asked = outcome.call.buffers.first().map_or(0, Bytes::len);
        let got = outcome.message.as_ref().and_then(|m| m.buffers.get(1)).map_or(0, Bytes::len);
        if got < asked {
            let what = format!("target info of {got} bytes in the reply, {asked} in the request");
            self.violation(Violation::Registration { target, what });
            return Err((-71, "reply of the MGS is too short".to_owned()));
        }
        if info.flags & ldd::ERROR != 0 {
            if outcome.status == 0 {
                let what = "flag ERROR with status 0".to_owned();
                self.violation(Violation::Registration { target: target.clone(), what });
            }
            let text = format!("the MGS refuses to allow {target} to start");
            self.console(ConsoleLine::error(text.clone()));
            return if purpose == Purpose::Register { Err((outcome.status.min(-1), text)) } else { Ok(()) };
        }
        if outcome.status != 0 {
            let what = format!("status {} without flag ERROR", outcome.status);
            self.violation(Violation::Registration { target: target.clone(), what });
            return if indispensable && purpose == Purpose::Register {
                Err((outcome.status, "registration failed".to_owned()))
            } else {
                Ok(())
            };
        }
        match purpose {
            Purpose::Register => {
                if info.svname != target {
                    let what = format!("svname {} in the reply", info.svname);
                    self.violation(Violation::Registration { target: target.clone(), what });
                }
                self.event(Event::Registered { target, index: info.stripe_index, flags: info.flags });
            }
            Purpose::Ready | Purpose::Notify => {
                let ir = info.flags & ldd::IR_CAPABLE != 0;
                let text = if ir {
                    "enabled, recovery window shrunk from 300-900 down to 150-900"
                } else {
                    "not enabled, recovery window 300-900"
                };
                if purpose == Purpose::Ready {
                    self.console(ConsoleLine::info(format!("{target}: Imperative Recovery {text}")));
                }
                self.event(Event::Ready { target, ir });
            }
        }
        Ok(())
    }

    /// READY for every running target, all at once.
    pub(crate) fn notify_targets(&mut self) {
        let mounts = std::mem::take(&mut self.mounts);
        for mount in mounts.iter().filter(|m| m.up) {
            self.register(Owner::Notify, mount, Purpose::Notify);
        }
        self.mounts = mounts;
    }
}

/// The array of 64-bit NIDs; those of larger addresses have no place in it.
fn slots(nids: &[Nid]) -> Vec<u64> {
    let mut out: Vec<u64> = nids.iter().filter_map(Nid::to_u64).take(SLOTS).collect();
    out.resize(SLOTS, 0);
    out
}

/// Entries of 64 bytes for the MGS to fetch.
fn nid_entries(texts: &[String]) -> Bytes {
    let mut w = wire::Writer::new(wire::Order::Little);
    for text in texts {
        w.cstr(text, NID_TEXT);
    }
    w.into_vec().into()
}
