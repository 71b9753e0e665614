//! Which of Lustre's tests of start orders, fail-over, imperative recovery and refusal stand where.
use std::path::Path;

/// Test of `conf-sanity` (or `recovery-small`), and the function that stands for it: here, or `file::function` of another
/// package.
const TESTS: &[(&str, &str)] = &[
    ("conf-sanity 5b, 31", "conf_sanity_5b_client_without_an_mgs_fails"),
    ("conf-sanity 5c", "conf_sanity_5c_a_client_of_a_file_system_that_is_not_there"),
    ("conf-sanity 5d-5f", "conf_sanity_5d_5e_5f_client_while_ost_or_mds_is_down"),
    ("conf-sanity 17", "conf_sanity_17_an_mdt_whose_log_was_removed"),
    ("conf-sanity 19a, 19b", "conf_sanity_19a_19b_mds_without_osts_and_osts_without_mds"),
    ("conf-sanity 0, 21a-21e", "conf_sanity_21a_21b_21c_21d_mdt_and_osts_in_any_order"),
    ("conf-sanity 22, 46a, 51", "conf_sanity_22_46a_51_targets_added_under_a_mounted_client"),
    ("conf-sanity 23a, 23b", "conf_sanity_23a_23b_a_mount_broken_off_and_made_again"),
    ("conf-sanity 24a, 36", "conf_sanity_24a_two_file_systems_on_one_mgs"),
    ("conf-sanity 26", "conf_sanity_26_an_mdt_that_failed_behind_its_registration_starts"),
    ("conf-sanity 27a", "conf_sanity_27a_a_parameter_reaches_an_ost_that_started_before_the_mgs"),
    ("conf-sanity 27b, 121", "conf_sanity_27b_121_the_mgs_fails_over_and_back"),
    ("conf-sanity 30b, 35a, 35b", "conf_sanity_30b_35a_35b_a_failover_nid_set_and_taken_away"),
    ("conf-sanity 33a, 56a, 56b, 81", "conf_sanity_33a_56a_56b_81_sparse_and_large_indices"),
    ("conf-sanity 41a, 41b", "conf_sanity_41a_41b_the_mdt_of_the_mgs_node_comes_last"),
    ("conf-sanity 41c", "conf_sanity_41c_the_same_target_mounted_twice"),
    ("conf-sanity 42, 107", "conf_sanity_42_107_unknown_parameters_prevent_no_mount"),
    ("conf-sanity 49a, 49b", "conf_sanity_49a_49b_timeouts_from_format_options"),
    ("conf-sanity 57a", "conf_sanity_57a_first_registration_from_the_failover_node"),
    ("conf-sanity 57b", "conf_sanity_57b_first_registration_from_a_service_node"),
    ("conf-sanity 59", "conf_sanity_59_after_a_writeconf_of_the_mdt_every_target_needs_one"),
    ("conf-sanity 69", "conf_sanity_69_an_ost_formatted_anew_with_replace"),
    ("conf-sanity 70a, 70b, 71a-71e", "conf_sanity_70a_70b_71a_to_71e_two_mdts_and_osts_in_any_order"),
    ("conf-sanity 73a", "conf_sanity_73a_a_failnode_added_by_the_tuning_tool"),
    ("conf-sanity 73b", "conf_sanity_73b_many_nids_in_the_parameters"),
    ("conf-sanity 73c", "conf_sanity_73c_a_server_on_more_than_32_networks"),
    ("conf-sanity 73e", "mgsd/core/tests/recovery.rs::networks_come_and_go_while_a_target_runs"),
    ("conf-sanity 73f", "conf_sanity_73f_an_ost_registers_before_the_connection_is_complete"),
    ("conf-sanity 77, 153a, 153b", "conf_sanity_77_153a_153b_lists_of_mgs_nids"),
    ("conf-sanity 93, 126", "conf_sanity_93_126_targets_registered_in_parallel"),
    ("conf-sanity 119, 130", "conf_sanity_119_130_an_mdt_written_anew_has_no_osp_to_itself"),
    ("conf-sanity 129", "conf_sanity_129_a_second_ost_with_the_same_index"),
    ("conf-sanity 131, 154", "conf_sanity_131_154_an_mdt_restored_from_a_backup"),
    ("conf-sanity 137", "conf_sanity_137_a_new_mdt_inherits_parameters_and_failnodes"),
    ("conf-sanity 153c", "conf_sanity_153c_no_mgs_nid_can_be_reached"),
    ("conf-sanity 157a, 157b", "conf_sanity_157a_157b_new_targets_may_be_refused_after_a_restart_too"),
    ("conf-sanity 160", "conf_sanity_160_every_mgs_nid_of_the_mount_is_used"),
    ("recovery-small 100", "recovery_small_100_disabled_nobody_is_told"),
    ("recovery-small 101a, 101b", "recovery_small_101a_101b_full_the_client_is_told_where_the_ost_is"),
    ("recovery-small 102", "recovery_small_102_versions_never_go_back"),
    ("recovery-small 103", "recovery_small_103_an_mdt_starts_without_mgs_and_reads_the_table_later"),
    ("recovery-small 104", "recovery_small_104_an_ost_mounted_noir_gets_no_promise"),
    ("recovery-small 105", "recovery_small_105_a_client_without_ir_makes_the_state_partial"),
    ("recovery-small 141", "recovery_small_141_after_a_restart_servers_hold_as_many_locks"),
];

/// The other tests of `conf-sanity` that the reference names, and why no scenario stands for them: the MGS sees nothing
/// but ordinary mounts, or they are of another kind than start order, fail-over, recovery and refusal.
const OTHERS: &[(&str, &str)] = &[
    (
        "1-4, 5a, 6-8, 34, 37, 98, 161",
        "the node refuses by itself, or its tools do; to the MGS an ordinary mount",
    ),
    ("24b, 79", "on the MGS's own disk and in mkfs.lustre: nothing goes over the wire"),
    ("38, 45, 50c, 50d, 50f, 58, 64, 83", "inside a target; to the MGS a restart or a writeconf, as in 59"),
    ("70c-70e", "clients while an MDT is stopped: of the MGS they ask what they do in 5d-5f"),
    ("73d, 75, 86-89", "parameters on a target's disk, by tunefs.lustre alone"),
    ("80, 84, 91, 164", "between clients and targets"),
    ("128, 151a, 151b", "where a server keeps its copy of a log; it reads the MGS's as at every mount"),
    ("162", "clients kept out by a target (`noclient`); the change of NIDs is of the kind of 66"),
    ("32a-32j, 108a, 108b, 802a", "disks of other releases and read-only ones: migration"),
    ("28A, 28a-28c, 30a, 33c, 43a, 43b, 47b, 74, 76a-76d, 90c", "settings"),
    ("29, 50g-50i, 123ah", "targets set inactive, or removed"),
    ("66, 124", "replace_nids"),
    ("82a, 82b, 132-134", "pools and nodemaps"),
    ("103, 109a, 109b, 123aa-123ag, 123ai, 123aj, 123F-123H, 250", "logs shown, edited, renamed"),
    ("100", "exports shown"),
];

#[test]
fn every_test_has_its_scenario() {
    let here = [
        include_str!("failover.rs"),
        include_str!("recovery.rs"),
        include_str!("refusals.rs"),
        include_str!("start_order.rs"),
    ];
    for (test, place) in TESTS {
        let there = match place.split_once("::") {
            Some((file, function)) => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
                std::fs::read_to_string(path).unwrap().contains(&format!("fn {function}("))
            }
            None => here.iter().any(|text| text.contains(&format!("fn {place}("))),
        };
        assert!(there, "{test}: no {place}");
        let numbers = test.split_once(' ').unwrap().1;
        let twice = |others: &str| others.split(", ").any(|n| numbers.split(", ").any(|m| m == n));
        assert!(!test.starts_with("conf") || !OTHERS.iter().any(|(others, _)| twice(others)), "{test}");
    }
    // And no scenario is without its line.
    let tests = here.iter().flat_map(|text| text.split("async fn ").skip(1));
    for name in
        tests.filter_map(|t| t.split('(').next()).filter(|n| n.contains("_sanity_") || n.contains("_small_"))
    {
        assert!(TESTS.iter().any(|(_, place)| *place == name), "{name} is not listed");
    }
}
