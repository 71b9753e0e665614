//! Who may register, as the API says it.

use super::api::time;
use mgs_api::{
    Binding, BindingMode, Registration, RegistrationPolicy, RegistrationRules, RegistrationState, Reservation,
};
use mgs_core::engine::{Applicant, Engine, Standing};
use mgs_core::model::rules::{Mode, Policy};
use wire::Nid;

fn texts(nids: &[Nid]) -> Vec<String> {
    nids.iter().map(ToString::to_string).collect()
}

pub(super) const fn policy(policy: Policy) -> RegistrationPolicy {
    match policy {
        Policy::Open => RegistrationPolicy::Open,
        Policy::Approve => RegistrationPolicy::Approve,
        Policy::Closed => RegistrationPolicy::Closed,
    }
}

pub(super) fn registration(a: Applicant) -> Registration {
    Registration {
        target: a.id.svname(&a.fs),
        fs: a.fs,
        nid: a.nid.map(|n| n.to_string()),
        flags: a.flags.map(|f| format!("{f:#010x}")),
        since: time(a.since),
        state: match a.state {
            Standing::Waiting => RegistrationState::Waiting,
            Standing::Refused => RegistrationState::Refused,
            Standing::Approved => RegistrationState::Approved,
        },
        why: a.why,
    }
}

pub(super) fn rules(engine: &Engine) -> RegistrationRules {
    let rules = &engine.view().rules;
    let networks = rules.bindings.iter().map(|(network, b)| Binding {
        network: network.clone(),
        mode: match b.mode {
            Mode::Off => BindingMode::Off,
            Mode::Log => BindingMode::Log,
            Mode::Enforce => BindingMode::Enforce,
        },
        nodes: b.nodes.iter().map(|node| texts(&node.0)).collect(),
        routers: texts(&b.routers),
    });
    RegistrationRules { default: policy(rules.default), networks: networks.collect() }
}

pub(super) fn reservations(engine: &Engine, only: Option<&str>) -> Vec<Reservation> {
    let all = engine.view().rules.reserved.iter();
    all.filter(|((fs, _), _)| only.is_none_or(|o| o == fs))
        .map(|((fs, id), r)| Reservation {
            target: id.svname(fs),
            fs: fs.clone(),
            nids: texts(&r.nids),
            by: r.by.clone(),
            time: time(r.time),
            until: r.until.map(time),
        })
        .collect()
}
