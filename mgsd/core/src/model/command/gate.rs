//! The gate in front of parameters: what the catalogue of tunables and the registered targets say of an assignment
//! before anything of it is stored, whoever brings it.

use super::param::Syntax;
use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::conf_param::Scope;
use crate::model::names::TargetId;
use crate::model::settings::Validation;
use crate::model::tx::Tx;
use tunables::{Assignment, Class, Judge, Policy, Stored, Topology, Verdict, canonical, translate};

/// How strict to be with one assignment.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Take a name that the catalogue does not know.
    pub force: bool,
    /// Take a target that has not registered: the setting waits for it.
    pub wait: bool,
}

/// An assignment that may be stored.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// What it is warned of.
    pub warnings: Vec<String>,
    /// It is wrong, and taken all the same.
    pub tolerated: Option<EventKind>,
}

const fn syntax_of(syntax: Syntax) -> tunables::Syntax {
    match syntax {
        Syntax::ConfParam => tunables::Syntax::ConfParam,
        Syntax::SetParam => tunables::Syntax::SetParamP,
    }
}

fn policy(tx: &Tx<'_>, how: How) -> Policy {
    let validation = match tx.validation() {
        Validation::Enforce => tunables::Validation::Enforce,
        Validation::Warn => tunables::Validation::Warn,
    };
    let mut policy =
        Policy { validation, force: how.force, unregistered_targets: how.wait, ..Policy::default() };
    policy.executables.extend(tx.param_policy().programs.iter().cloned());
    policy
}

/// Judges an assignment.
///
/// # Errors
/// It is refused: the error names the class, what is allowed and what was probably meant. [`Error::Forbidden`]: by every
/// policy.
pub fn judge(tx: &Tx<'_>, text: &str, syntax: Syntax, how: How) -> Result<Passed, Error> {
    let (policy, stored) = (policy(tx, how), InStore(tx));
    let judge = Judge::new(&tx.view.catalogue).topology(&tx.view.topology).stored(&stored);
    let assignment = Assignment::new(syntax_of(syntax), text);
    let verdict = judge.policy(&policy).judge(&assignment);
    if !verdict.is_refused() {
        return Ok(passed(text, verdict));
    }
    let what = format!("{} ({})", verdict.message, verdict.class.label());
    let hint = hint(&verdict, "'mgsctl param explain NAME' tells more");
    let class = forbidden(judge, &policy, &assignment);
    let refused = Error::refused(verdict.object, Errno::EINVAL, what, hint);
    Err(class.map_or(refused.clone(), |class| refused.forbidden(class, text)))
}

/// The class of what not even those may assign who insist, where mistakes are only warned of.
fn forbidden(judge: Judge<'_>, policy: &Policy, assignment: &Assignment) -> Option<&'static str> {
    let lenient = Policy { validation: tunables::Validation::Warn, force: true, ..policy.clone() };
    let verdict = judge.policy(&lenient).judge(assignment);
    verdict.is_refused().then(|| verdict.class.label())
}

fn hint(verdict: &Verdict, next: &str) -> String {
    let known = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    let allowed = known(&verdict.allowed).map(|allowed| format!("allowed: {allowed}"));
    let all = [allowed, known(&verdict.suggestion), Some(next.to_owned())];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn passed(text: &str, verdict: Verdict) -> Passed {
    let mut warnings: Vec<String> = verdict.notes.into_iter().map(|note| note.message).collect();
    if verdict.severity != tunables::Severity::Warn {
        return Passed { warnings, tolerated: None };
    }
    // Whoever stores it says that it waits.
    let waits = verdict.class == Class::BadDevice;
    if !waits {
        let meant = verdict.suggestion.iter().fold(String::new(), |all, next| format!("{all}; {next}"));
        warnings.insert(0, format!("{}{meant}", verdict.message));
    }
    // What is behind is worth to know, and wrong is nothing of it.
    let wrong = verdict.class < Class::TooNew && !waits;
    let tolerated = wrong.then(|| EventKind::ParamTolerated {
        assignment: text.to_owned(),
        class: verdict.class.label().to_owned(),
        why: verdict.message,
    });
    Passed { warnings, tolerated }
}

/// Judges what a target brings along: parameters of `mkfs.lustre` or `tunefs.lustre`, as `name=value`, and its failover
/// nodes.
///
/// # Errors
/// `EINVAL`: one of them is refused, and the registration with it.
pub fn brought(
    tx: &mut Tx<'_>,
    fs: &str,
    id: TargetId,
    settings: &[String],
    failover: &[String],
) -> Result<(), Error> {
    let policy = policy(tx, How { force: false, wait: true });
    let mut own = Topology::default();
    let topology = if tx.view.topology.filesystem(fs).is_some() {
        &tx.view.topology
    } else {
        own.add_target(fs, id.judged(), None);
        &own
    };
    let mut tolerated = Vec::new();
    let nodes = failover.iter().map(|value| (true, format!("failover.node={value}")));
    for (is_node, word) in settings.iter().map(|word| (false, word.clone())).chain(nodes) {
        let assignment = Assignment::of_registration(fs, id.judged(), &word);
        let stored = InStore(tx);
        let judge = Judge::new(&tx.view.catalogue).topology(topology).stored(&stored);
        let verdict = judge.policy(&policy).judge(&assignment);
        // Lists of nodes are read as far as they can be, as by a kernel MGS; what is in them is looked at all the same.
        if verdict.is_refused() && (!is_node || verdict.class == Class::Unsafe) {
            let what = format!(
                "brings the parameter '{}': {} ({})",
                word.escape_default(),
                verdict.message,
                verdict.class.label()
            );
            let next = "correct it with tunefs.lustre --erase-params --param NAME=VALUE and mount again";
            let object = format!("target '{}'", id.svname(fs));
            let refused = Error::refused(object, Errno::EINVAL, what, hint(&verdict, next));
            let class = forbidden(judge, &policy, &assignment);
            return Err(class.map_or(refused.clone(), |class| refused.forbidden(class, &assignment.text)));
        }
        if !verdict.is_refused() {
            tolerated.extend(passed(&assignment.text, verdict).tolerated);
        }
    }
    tolerated.into_iter().for_each(|event| tx.event(event));
    Ok(())
}

/// What would be refused of something that is in force elsewhere already: it is taken over, and said. Whether its target
/// is registered is looked at by whoever takes it over.
pub fn doubts(tx: &Tx<'_>, syntax: Syntax, name: &str, value: &str) -> Option<String> {
    let (policy, stored) = (policy(tx, How { force: false, wait: true }), InStore(tx));
    let judge = Judge::new(&tx.view.catalogue).policy(&policy).stored(&stored);
    let verdict = judge.judge(&Assignment::new(syntax_of(syntax), format!("{name}={value}")));
    let wrong = verdict.is_refused() || (Class::Ok..Class::TooNew).contains(&verdict.class);
    if verdict.class == Class::Ok || !wrong {
        return None;
    }
    let hint = hint(&verdict, "it is served as it is");
    Some(format!("parameter '{name}={value}': {} ({}); {hint}", verdict.message, verdict.class.label()))
}

/// The default of what a name sets, as nodes take it: of all tunables that it hits, where it is one and the same, and may
/// be assigned.
///
/// # Errors
/// Why there is none, for people.
pub fn default_of(tx: &Tx<'_>, syntax: Syntax, name: &str) -> Result<String, String> {
    let policy = policy(tx, How::default());
    let catalogue = &*tx.view.catalogue;
    let judge = Judge::new(catalogue).topology(&tx.view.topology).policy(&policy);
    // Any value tells which tunables the name hits.
    let probe = judge.judge(&Assignment::new(syntax_of(syntax), format!("{name}=0")));
    let mut found: Option<(&str, String)> = None;
    for tunable in probe.tunables.iter().filter_map(|id| catalogue.by_id(id)) {
        let id = tunable.id.as_str();
        let Some(default) = tunables::default_of(catalogue, tunable) else {
            return Err(match &tunable.default {
                Some(text) => format!("only nodes know what its default '{text}' is ({id})"),
                None => format!("its default is not known here ({id})"),
            });
        };
        match &found {
            Some((other, known)) if *known != default => {
                return Err(format!("its default is {known} in {other} and {default} in {id}"));
            }
            _ => found = Some((id, default)),
        }
    }
    let Some((_, default)) = found else {
        return Err("the catalogue of tunables does not know it".to_owned());
    };
    let verdict = judge.judge(&Assignment::new(syntax_of(syntax), format!("{name}={default}")));
    if verdict.severity == tunables::Severity::Accept || verdict.class >= Class::TooNew {
        return Ok(default);
    }
    Err(format!("its default {default} may not be assigned ({})", verdict.class.label()))
}

/// Assignments in the other spelling that set the same, as `name=value`.
pub fn same_elsewhere(tx: &Tx<'_>, syntax: Syntax, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    match syntax {
        Syntax::ConfParam => {
            let names: Vec<String> = translate(syntax_of(syntax), name).into_iter().map(|t| t.name).collect();
            for (path, setting) in tx.set_settings().into_iter().filter(|(_, s)| !s.is_unset()) {
                let hit = names.iter().any(|name| tunables::covers(path, name));
                found.extend(setting.values.last().filter(|_| hit).map(|v| format!("{path}={}", v.value)));
            }
        }
        Syntax::SetParam => found.extend(conf_hit_by(tx, name)),
    }
    found
}

/// What the logs of file systems set, and a path of `set_param -P` meets, as `name=value`.
fn conf_hit_by<'a>(tx: &'a Tx<'_>, path: &'a str) -> impl Iterator<Item = String> + 'a {
    let last = tunables::segments(path).pop().unwrap_or_default();
    let last = if tunables::is_wild(&last) { String::new() } else { last };
    tx.file_systems().into_iter().flat_map(move |fs| {
        let last = last.clone();
        tx.conf_settings(&fs).into_iter().filter_map(move |((scope, name), setting)| {
            let value = setting.values.last().filter(|v| !v.unset)?;
            // Quota has another name in either spelling.
            if !name.ends_with(&last) && !name.starts_with("quota.") {
                return None;
            }
            let device = match scope {
                Scope::Fs => fs.clone(),
                Scope::Target(id) => id.svname(&fs),
            };
            let spelled = format!("{device}.{name}");
            let names = translate(tunables::Syntax::ConfParam, &spelled);
            names
                .iter()
                .any(|t| tunables::overlap(path, &t.name))
                .then(|| format!("{spelled}={}", value.value))
        })
    })
}

/// What is stored, as the judge asks for it: by canonical name.
struct InStore<'a, 'v>(&'a Tx<'v>);

impl InStore<'_, '_> {
    fn conf(&self, name: &str) -> Option<String> {
        let (device, rest) = name.split_once('.')?;
        let known = |fs: &str| self.0.head(fs).is_some();
        let (fs, scope) = match TargetId::parse_svname(device) {
            Some((fs, id)) if known(fs) => (fs, Scope::Target(id)),
            _ => (device, Scope::Fs),
        };
        let setting = self.0.conf_setting(fs, scope, rest).filter(|s| !s.is_unset())?;
        setting.values.last().map(|v| v.value.clone())
    }
}

impl Stored for InStore<'_, '_> {
    fn value(&self, name: &str) -> Option<String> {
        if let Some(setting) = self.0.set_setting(name).filter(|s| !s.is_unset()) {
            return setting.values.last().map(|v| v.value.clone());
        }
        let conf = translate(tunables::Syntax::SetParamP, name).into_iter().find(|t| t.exact).map(|t| t.name);
        self.conf(conf.as_deref().unwrap_or(&canonical(tunables::Syntax::ConfParam, name)))
    }
}
