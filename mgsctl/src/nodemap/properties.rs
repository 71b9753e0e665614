//! Properties of a nodemap as `lctl get_param nodemap.NAME.*` shows them.

use mgs_api::{Nodemap, NodemapRange};

/// Properties in the order of their names. A value of several lines begins with a line break, as `lctl` prints it.
pub(crate) fn all(map: &Nodemap) -> Vec<(&'static str, String)> {
    let switch = |on: bool| u8::from(on).to_string();
    // The default nodemap is of everybody else: it has none of these.
    let own = map.id != 0;
    let mut out = vec![
        ("admin_nodemap", switch(map.admin)),
        ("audit_mode", switch(map.audit_mode)),
        ("banlist", list(map.banlist.iter().map(range))),
        ("child_raise_privileges", map.child_raise_privileges.clone()),
        ("deny_mount", switch(map.deny_mount)),
        ("deny_unknown", switch(map.deny_unknown)),
        ("enable_cap_mask", caps(map)),
        (
            "exports",
            list(map.exports.iter().map(|e| {
                let banned = if e.banned { ", banned: true" } else { "" };
                format!("nid: {}, uuid: {}, dev: MGS{banned}", e.nid, e.uuid)
            })),
        ),
        ("fileset", filesets(map)),
        ("forbid_encryption", switch(map.forbid_encryption)),
    ];
    if own {
        out.push(("gssonly_identification", switch(map.gssonly_identification)));
    }
    out.push(("id", map.id.to_string()));
    if own {
        out.push((
            "idmap",
            list(map.idmap.iter().map(|pair| {
                format!("idtype: {}, client_id: {}, fs_id: {}", pair.kind.as_str(), pair.client, pair.fs)
            })),
        ));
    }
    out.push(("map_mode", map.map_mode.clone()));
    if own {
        out.push(("offset", offset(map)));
        out.push(("parent", String::new()));
        out.push(("ranges", list(map.ranges.iter().map(range))));
    }
    out.push(("rbac", map.rbac.clone()));
    out.push(("readonly_mount", switch(map.readonly_mount)));
    if own {
        out.push(("sepol", map.sepol.clone()));
    }
    out.push(("squash_gid", map.squash_gid.to_string()));
    out.push(("squash_projid", map.squash_projid.to_string()));
    out.push(("squash_uid", map.squash_uid.to_string()));
    out.push(("trusted_nodemap", switch(map.trusted)));
    out
}

/// One property.
pub(crate) fn of(map: &Nodemap, property: &str) -> Option<String> {
    all(map).into_iter().find(|(name, _)| *name == property).map(|(_, value)| value)
}

/// Lines `nodemap.NAME.PROPERTY=VALUE`: all, or one.
pub(crate) fn text(map: &Nodemap, only: Option<&str>) -> String {
    let wanted = all(map).into_iter().filter(|(name, _)| only.is_none_or(|only| *name == only));
    wanted.map(|(name, value)| format!("nodemap.{}.{name}={value}\n", map.name)).collect()
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| format!(" {{ {item} }}")).collect();
    if items.is_empty() { "[]".to_owned() } else { format!("\n[\n{}\n]", items.join(",\n")) }
}

fn range(range: &NodemapRange) -> String {
    format!("id: {}, start_nid: {}, end_nid: {}", range.id, range.start, range.end)
}

fn filesets(map: &Nodemap) -> String {
    let items = map.filesets.iter().map(|f| {
        let kind = if f.alternate { "alternate:  " } else { "primary:    " };
        let ro = if f.ro { ", mode: ro" } else { "" };
        format!(" {{ {kind} {}{ro} }}", f.path)
    });
    let items: Vec<String> = items.collect();
    // Without any, the brackets stand on two lines all the same.
    if items.is_empty() { "\n[\n]".to_owned() } else { format!("\n[\n{}\n]", items.join(",\n")) }
}

fn caps(map: &Nodemap) -> String {
    match &map.caps {
        None => "off".to_owned(),
        Some(caps) => format!("\ntype: {}\ncaps: {}", caps.kind, caps.caps),
    }
}

fn offset(map: &Nodemap) -> String {
    let (start, limit) = map.offset.map_or((0, 0), |o| (o.start, o.limit));
    let kinds = ["uid", "gid", "projid"];
    let lines = kinds.map(|kind| format!(" start_{kind}: {start},\n limit_{kind}: {limit}"));
    format!("\n{{\n{}\n}}", lines.join(",\n"))
}
