//! Security rules as a kernel MGS shows them (`lproc_mgs.c: seq_show_srpc_rules`): those of targets, the newest target first,
//! then those of the file system; each set in the order in which it was merged (`sec_config.c: sptlrpc_rule_set_merge`).

use mgs_api::SecurityRule;

/// Device of the rules between nodes and the MGS.
const MGS: &str = "_mgs";

/// Lines of `mgs.MGS.live.FS`.
pub(super) fn of_file_system(rules: &[SecurityRule], fs: &str) -> String {
    let of_fs = |device: &str| device.split_once('-').is_some_and(|(of, _)| of == fs);
    let mut sorted: Vec<&SecurityRule> = rules.iter().collect();
    sorted.sort_by_key(|rule| rule.index);
    let mut targets: Vec<&str> = Vec::new();
    for rule in sorted.iter().filter(|rule| of_fs(&rule.device)) {
        if !targets.contains(&rule.device.as_str()) {
            targets.insert(0, &rule.device);
        }
    }
    targets.into_iter().chain([fs]).map(|device| lines(&sorted, device)).collect()
}

/// `mgs.MGS.srpc_rules`, without its last newline.
pub(super) fn of_mgs(rules: &[SecurityRule]) -> String {
    let mut sorted: Vec<&SecurityRule> = rules.iter().collect();
    sorted.sort_by_key(|rule| rule.index);
    lines(&sorted, MGS).trim_end().to_owned()
}

fn lines(rules: &[&SecurityRule], device: &str) -> String {
    let mut merged: Vec<&SecurityRule> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.device == device) {
        merge(&mut merged, rule);
    }
    let shown = |rule: &SecurityRule| {
        let direction = rule.direction.as_ref().map(|direction| format!(".{direction}")).unwrap_or_default();
        format!("{device}.srpc.flavor.{}{direction}={}\n", network(&rule.network), flavor(&rule.flavor))
    };
    merged.into_iter().map(shown).collect()
}

/// A rule stands before the first that says less of the network, or of the direction within its network.
fn merge<'a>(rules: &mut Vec<&'a SecurityRule>, rule: &'a SecurityRule) {
    let of_net = |rule: &SecurityRule| rule.network != "default";
    let stops = |there: &SecurityRule| {
        if network(&there.network) != network(&rule.network) {
            of_net(rule) && !of_net(there)
        } else {
            rule.direction.is_some() && there.direction.is_none()
        }
    };
    let same = |there: &&mut &SecurityRule| {
        (network(&there.network), &there.direction) == (network(&rule.network), &rule.direction)
    };
    if let Some(there) = rules.iter_mut().find(same) {
        *there = rule;
        return;
    }
    let at = rules.iter().position(|there| stops(there)).unwrap_or(rules.len());
    rules.insert(at, rule);
}

/// `tcp0` is `tcp`.
fn network(name: &str) -> &str {
    match name.strip_suffix('0') {
        Some(kind) if kind.ends_with(|c: char| c.is_ascii_alphabetic()) => kind,
        _ => name,
    }
}

/// `plain` checks bulk data with the algorithm that is shown.
fn flavor(name: &str) -> &str {
    if name == "plain" { "plain-hash:adler32" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[&str]) -> Vec<SecurityRule> {
        let rule = |(index, text): (u32, &&str)| {
            let (device, rest) = text.split_once(' ')?;
            let (rule, flavor) = rest.split_once('=')?;
            let (network, direction) = match rule.split_once('.') {
                Some((network, direction)) => (network, Some(direction.to_owned())),
                None => (rule, None),
            };
            let [device, network, flavor] = [device, network, flavor].map(str::to_owned);
            Some(SecurityRule { device, network, direction, flavor, log: String::new(), index })
        };
        (1..).zip(list).filter_map(rule).collect()
    }

    #[test]
    fn merged_as_a_kernel_merges() {
        let list = rules(&[
            "testfs default=null",
            "testfs-OST0000 o2ib=skn",
            "testfs tcp1=ska",
            "testfs default.cli2mdt=krb5p",
            "testfs-OST0001 default=plain",
            "testfs tcp2.cli2ost=skpi",
            "testfs tcp0.cli2mdt=plain-hash:sha256",
            "testfs tcp1.mdt2ost=ski",
            "testfs tcp.cli2mdt=krb5i",
            "testfs2 default=skn",
            "_mgs default=null",
        ]);
        assert_eq!(
            of_file_system(&list, "testfs"),
            "testfs-OST0001.srpc.flavor.default=plain-hash:adler32\n\
             testfs-OST0000.srpc.flavor.o2ib=skn\n\
             testfs.srpc.flavor.tcp1.mdt2ost=ski\n\
             testfs.srpc.flavor.tcp1=ska\n\
             testfs.srpc.flavor.tcp2.cli2ost=skpi\n\
             testfs.srpc.flavor.tcp.cli2mdt=krb5i\n\
             testfs.srpc.flavor.default.cli2mdt=krb5p\n\
             testfs.srpc.flavor.default=null\n"
        );
        assert_eq!(of_mgs(&list), "_mgs.srpc.flavor.default=null");
        assert_eq!(of_file_system(&list, "other"), "");
    }
}
