//! What there is to be read on an MGS, made of documents of the API: the tree `mgs.MGS`, `nodemap`, `ldlm.namespaces.MGS` and
//! `health_check`.

use std::collections::BTreeSet;

use mgs_api::{ClientExport, FileSystem};

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::{live, srpc};

/// One parameter.
pub(super) struct Param {
    /// `["mgs", "MGS", "live", "testfs"]`: a NID has dots of its own.
    pub(super) path: Vec<String>,
    /// As it is read, without the last newline; or why it cannot be.
    pub(super) value: Result<String, Errno>,
}

impl Param {
    /// As it is typed.
    pub(super) fn name(&self) -> String {
        self.path.join(".")
    }
}

/// Everything, in the order of a kernel: first what stands in sysfs, by name; then the directories.
pub(super) async fn tree(front: &Front<'_>) -> Done<Vec<Param>> {
    let read = async {
        let status = front.api.status().await?;
        let file_systems = front.api.fs_list().await?.items;
        let targets = front.api.targets(None).await?.items;
        let clients = front.api.clients().await?.items;
        let logs = front.api.logs(None).await?.items;
        let rules = front.api.security_rules(None).await?.items;
        Ok::<_, mgs_api::Error>((status, file_systems, targets, clients, logs, rules))
    };
    let maps = nodemaps(front).await?;
    let (status, file_systems, targets, clients, logs, rules) =
        read.await.map_err(|error| End::Errno(front.errno(&error)))?;
    let mgs = status.name.as_str();
    let mut tree = Vec::new();
    let mut add = |path: &[&str], value: String| {
        let path = ["mgs", mgs].iter().chain(path).map(|part| (*part).to_owned()).collect();
        tree.push(Param { path, value: Ok(value) });
    };
    let counter = |name: &str| status.counters.get(name).copied().unwrap_or(0).to_string();
    add(&["eviction_count"], counter("evictions"));
    add(&["ir_timeout"], status.ir_timeout.to_string());
    add(&["num_exports"], clients.len().to_string());
    add(&["uuid"], mgs.to_owned());
    for client in &clients {
        add(&["exports", &client.nid, "export"], live::export(mgs, client));
        add(&["exports", &client.nid, "uuid"], client.uuid.clone());
    }
    add(&["filesystems"], names(&file_systems));
    let params = logs.iter().find(|log| log.name == "params");
    let steps = match params.filter(|log| log.size != 0) {
        Some(log) => live::last_step(front, &log.name).await?,
        None => 1,
    };
    let state = file_systems.first().map_or(mgs_api::IrState::Full, |fs| fs.ir_state);
    let mut live: Vec<(&str, String)> = vec![("params", live::params(steps, state))];
    for fs in &file_systems {
        let own: Vec<&str> = targets.iter().filter(|t| t.fs == fs.name).map(|t| t.name.as_str()).collect();
        live.push((&fs.name, live::file_system(fs, &own, &rules)));
    }
    live.sort_by_key(|(name, _)| *name);
    for (name, text) in live {
        add(&["live", name], text);
    }
    add(&["srpc_rules"], srpc::of_mgs(&rules));
    let locks: u64 = clients.iter().map(ClientExport::lock_count).sum();
    let resources: BTreeSet<&str> =
        clients.iter().flat_map(|client| &client.locks).map(|held| held.resource.as_str()).collect();
    for (name, value) in [("lock_count", locks), ("resource_count", resources.len() as u64)] {
        let path = ["ldlm", "namespaces", mgs, name].map(str::to_owned).to_vec();
        tree.push(Param { path, value: Ok(value.to_string()) });
    }
    let health = if status.ready { "healthy" } else { "NOT HEALTHY" };
    tree.push(Param { path: vec!["health_check".to_owned()], value: Ok(health.to_owned()) });
    for (path, value) in maps {
        tree.push(Param { path, value: Ok(value) });
    }
    let path = ["mgs", mgs, "evict_client"].map(str::to_owned).to_vec();
    tree.insert(0, Param { path, value: Err(Errno::EACCES) });
    tree.sort_by_key(|param| {
        param.path.get(2).is_some_and(|p| ["filesystems", "srpc_rules"].contains(&p.as_str()))
    });
    Ok(tree)
}

/// `nodemap.*`.
async fn nodemaps(front: &Front<'_>) -> Done<Vec<(Vec<String>, String)>> {
    let read = async {
        let all = front.api.nodemaps().await?;
        let mut out =
            vec![(vec!["nodemap".to_owned(), "active".to_owned()], u8::from(all.active).to_string())];
        for entry in &all.items {
            let map = front.api.nodemap(&entry.name).await?;
            for (name, value) in crate::nodemap::properties::all(&map) {
                // A list comes with the line break in front that is printed behind the name.
                let value = value.strip_prefix('\n').unwrap_or(&value).to_owned();
                out.push((vec!["nodemap".to_owned(), entry.name.clone(), name.to_owned()], value));
            }
        }
        Ok::<_, mgs_api::Error>(out)
    };
    read.await.map_err(|error| End::Errno(front.errno(&error)))
}

fn names(file_systems: &[FileSystem]) -> String {
    let names: Vec<&str> = file_systems.iter().map(|fs| fs.name.as_str()).collect();
    // One name stands below the name of the parameter, too: the file ends in a newline, and `=` would read as a value.
    names.join("\n")
}
