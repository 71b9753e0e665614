//! `mgsctl param get|history|status|policy`: what nodes are told, and how far they are.

use mgs_api::{ChangeReach, EffectiveParam, List, ParamEvent, ParamPolicy, ParamTold, Programs};

use crate::table::{Fields, Table};

pub(crate) fn effective(found: &EffectiveParam) -> String {
    let mut fields = Fields::default();
    fields.add("name", &found.canonical);
    fields.add_some("conf_param", found.conf_param.as_ref());
    fields.add("set_param -P", found.set_param.join(", "));
    fields.add_some("default", found.default.as_ref());
    fields.add_some("unit", found.unit.as_ref());
    if !found.registered {
        fields.add("registered", "no: this is what it will be told");
    }
    let mut table =
        Table::new(&["READERS-OF", "VALUE", "HOLDS", "ASSIGNED", "RECORD", "#SEQ", "SINCE", "BY"]);
    for reader in &found.readers {
        if reader.in_force.is_empty() {
            let default = found.default.as_deref().unwrap_or("?").to_owned();
            let none = String::new;
            table.row([
                reader.log.clone(),
                default,
                "default".to_owned(),
                none(),
                none(),
                none(),
                none(),
                none(),
            ]);
        }
        let holds = reader.in_force.iter().map(|t| (if t.unset { "default" } else { "yes" }, t));
        for (holds, told) in holds.chain(reader.shadowed.iter().map(|t| ("shadowed", t))) {
            table.row(row(&reader.log, holds, told));
        }
    }
    format!("{}\n{}", fields.render(), table.render())
}

fn row(log: &str, holds: &str, told: &ParamTold) -> [String; 8] {
    let from = told.from.as_ref().map(|target| format!(" (with {target})")).unwrap_or_default();
    [
        log.to_owned(),
        told.value.clone(),
        holds.to_owned(),
        told.name.clone(),
        format!("{}:{}", told.record.log, told.record.index),
        told.seq.to_string(),
        told.time.to_string(),
        format!("{}{from}", told.by.as_deref().unwrap_or("-")),
    ]
}

pub(crate) fn history(list: &List<ParamEvent>) -> String {
    let mut table = Table::new(&["#SEQ", "TIME", "NAME", "VALUE", "BEFORE", "BY"]);
    for event in &list.items {
        table.row([
            event.seq.to_string(),
            event.time.to_string(),
            event.name.clone(),
            event.value.clone().unwrap_or_else(|| "(unset)".to_owned()),
            event.before.join(" "),
            event.by.clone(),
        ]);
    }
    table.render()
}

pub(crate) fn status(reach: &ChangeReach) -> String {
    if reach.logs.is_empty() {
        return format!("commit {} wrote to no log: no node hears of it\n", reach.seq);
    }
    let mut table = Table::new(&["LOG", "#INDEX", "NID", "#FETCHED", "GOT-IT", "WHEN", "UUID"]);
    for log in &reach.logs {
        if log.nodes.is_empty() {
            let none = String::new;
            table.row([
                log.log.clone(),
                log.index.to_string(),
                "(no reader)".to_owned(),
                none(),
                none(),
                none(),
                none(),
            ]);
        }
        for node in &log.nodes {
            table.row([
                log.log.clone(),
                log.index.to_string(),
                node.nid.clone(),
                node.fetched.to_string(),
                if node.past { "yes" } else { "not yet" }.to_owned(),
                node.at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
                node.uuid.clone(),
            ]);
        }
    }
    let nodes = |past: bool| {
        let all = reach.logs.iter().flat_map(|log| log.nodes.iter().filter(move |node| node.past == past));
        all.map(|node| (&node.nid, &node.uuid)).collect::<std::collections::BTreeSet<_>>().len()
    };
    let verdict = match (nodes(false), nodes(true)) {
        (0, 0) => "no connected node reads what it wrote".to_owned(),
        (0, 1) => "fetched by the one connected node that reads it".to_owned(),
        (0, all) => format!("fetched by all {all} connected nodes that read it"),
        (1, _) => "1 node has not fetched it yet".to_owned(),
        (behind, _) => format!("{behind} nodes have not fetched it yet"),
    };
    format!("commit {}: {verdict}; what is fetched need not be done yet\n{}", reach.seq, table.render())
}

pub(crate) fn policy(policy: &ParamPolicy) -> String {
    let mut fields = Fields::default();
    fields.add("validation", policy.validation);
    fields.render()
}

pub(crate) fn programs(programs: &Programs) -> String {
    let mut table = Table::new(&["PROGRAM", "ALLOWED"]);
    let usual = programs.usual.iter().map(|program| (program, "by default"));
    for (program, by) in usual.chain(programs.allowed.iter().map(|program| (program, "by root"))) {
        table.row([program.clone(), by.to_owned()]);
    }
    table.render()
}
