//! What the MGS refuses, with which errno, and how one gets in all the same.
use crate::site::{FS, Site, mdt, nid, ost, with};
use lustre_peer::{TargetOptions, TargetState};
use mgs_api::{ParamPolicy, PolicySwitch, RegistrationPolicy, Validation};

const ENOENT: i32 = -2;
const EACCES: i32 = -13;
const EINVAL: i32 = -22;
const EADDRINUSE: i32 = -98;
const EADDRNOTAVAIL: i32 = -99;

fn params(options: TargetOptions, params: &[&str]) -> TargetOptions {
    TargetOptions { params: params.iter().map(|p| (*p).to_owned()).collect(), ..options }
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_42_107_unknown_parameters_prevent_no_mount() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let wrong = params(ost(0), &["some.wrong.param=20", "ost.nosuch=1"]);
    // By default it is told at the mount (docs/better-than-kernel.md); with `warn` it is as with a kernel MGS.
    server.mount([mdt(0)]).await;
    assert_eq!(server.refused(wrong.clone()).await, EINVAL);
    let policy = ParamPolicy { validation: Validation::Warn };
    site.api().set_param_policy(&policy, false).await.unwrap();
    server.mount([wrong]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 1 OST");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_57a_first_registration_from_the_failover_node() {
    let site = Site::new().await;
    let (primary, partner) = (site.node("10.6.0.3@tcp").await, site.node("10.6.0.5@tcp").await);
    primary.mount([mdt(0)]).await;
    let ost = TargetOptions { failnodes: vec![vec![nid("10.6.0.5@tcp")]], ..ost(0) };
    assert_eq!(partner.refused(ost.clone()).await, EADDRNOTAVAIL);
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 0 OSTs", "nothing is left of it");
    primary.mount([ost]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 1 OST");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_57b_first_registration_from_a_service_node() {
    let site = Site::new().await;
    let (primary, partner) = (site.node("10.6.0.3@tcp").await, site.node("10.6.0.5@tcp").await);
    primary.mount([mdt(0)]).await;
    let nodes = vec![vec![nid("10.6.0.3@tcp")], vec![nid("10.6.0.5@tcp")]];
    partner.mount([TargetOptions { servicenodes: nodes, ..ost(0) }]).await;
    let tree = site.seen(FS).await;
    assert_eq!(tree.devices["testfs-OST0000-osc"].connections, ["10.6.0.5@tcp", "10.6.0.3@tcp"]);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_59_after_a_writeconf_of_the_mdt_every_target_needs_one() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    let all = [mdt(0), ost(0), ost(1)];
    server.mount(all.clone()).await;
    let before = site.seen(FS).await;
    server.umount(all.clone()).await;
    server.mount([with(mdt(0), TargetState::Writeconf)]).await;
    assert_eq!(server.refused(ost(0)).await, ENOENT);
    server.mount([with(ost(0), TargetState::Writeconf), with(ost(1), TargetState::Writeconf)]).await;
    let mut after = site.seen(FS).await;
    after.targets.clone_from(&before.targets);
    assert!(after == before);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_69_an_ost_formatted_anew_with_replace() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    let before = site.api().log_file("testfs-client").await.unwrap();
    server.umount([ost(0)]).await;
    server.mount([with(ost(0), TargetState::Update)]).await;
    server.umount([ost(0)]).await;
    server.mount([ost(0)]).await;
    assert_eq!(site.api().log_file("testfs-client").await.unwrap(), before, "no section is written");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_119_130_an_mdt_written_anew_has_no_osp_to_itself() {
    let site = Site::new().await;
    let mut server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), mdt(1), ost(0)]).await;
    let before = server.config("testfs-MDT0001", |t| t.osts.len() == 1).await;
    for _ in 0..3 {
        server.umount([mdt(1)]).await;
        server.mount([with(mdt(1), TargetState::Writeconf)]).await;
        let now = server.host.config("testfs-MDT0001").await.unwrap();
        assert_eq!(now.mdt_indices(), [0].into());
        assert_eq!((&now.devices, &now.osts), (&before.devices, &before.osts));
        assert_eq!(site.seen(FS).await.to_string(), "2 MDTs, 1 OST");
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_129_a_second_ost_with_the_same_index() {
    let site = Site::new().await;
    let (first, second) = (site.node("10.6.0.3@tcp").await, site.node("10.6.0.5@tcp").await);
    first.mount([mdt(0), ost(0)]).await;
    assert_eq!(second.refused(ost(0)).await, EADDRINUSE);
    assert_eq!(second.refused(ost(0)).await, EADDRINUSE, "and again");
    first.umount([ost(0)]).await;
    second.mount([with(ost(0), TargetState::Writeconf)]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 1 OST");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_157a_157b_new_targets_may_be_refused_after_a_restart_too() {
    let mut site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    let policy = async |site: &Site, policy| {
        site.api().fs_policy(FS, PolicySwitch { policy }, false).await.unwrap();
    };
    policy(&site, RegistrationPolicy::Closed).await;
    assert_eq!(server.refused(ost(1)).await, EACCES);
    site.stop_mgs().await;
    site.start_mgs().await;
    let late = site.node("10.6.0.5@tcp").await;
    assert_eq!(late.refused(ost(1)).await, EACCES);
    // A target that is known starts.
    late.mount([with(ost(0), TargetState::Registered)]).await;
    policy(&site, RegistrationPolicy::Open).await;
    late.mount([ost(1)]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 2 OSTs");
    site.end().await;
}

/// The log of the MDT is gone from the MGS: it does not start before its logs are written anew. What it was set up with
/// is not made up.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_17_an_mdt_whose_log_was_removed() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    server.umount([mdt(0), ost(0)]).await;
    site.api().log_remove("testfs-MDT0000", false).await.unwrap();
    server.mount([ost(0)]).await;
    let restored = site.node("10.6.0.5@tcp").await;
    assert_eq!(restored.refused(with(mdt(0), TargetState::Registered)).await, ENOENT);
    server.umount([ost(0)]).await;
    server.mount([with(mdt(0), TargetState::Writeconf), with(ost(0), TargetState::Writeconf)]).await;
    assert_eq!(site.seen(FS).await.to_string(), "1 MDT, 1 OST");
    site.end().await;
}

/// A file system that is not there: the client's mount fails, and nothing is made by its name.
#[tokio::test(flavor = "multi_thread")]
async fn conf_sanity_5c_a_client_of_a_file_system_that_is_not_there() {
    let site = Site::new().await;
    let server = site.node("10.6.0.3@tcp").await;
    server.mount([mdt(0), ost(0)]).await;
    let client = site.node("10.6.0.4@tcp").await;
    for wrong in ["wrong", "testfs2"] {
        assert!(client.host.mount_client(wrong).await.is_err(), "{wrong}");
    }
    let known = site.api().fs_list().await.unwrap().items;
    assert_eq!(known.iter().map(|fs| fs.name.as_str()).collect::<Vec<_>>(), [FS]);
    assert_eq!(client.host.mount_client(FS).await.unwrap().to_string(), "1 MDT, 1 OST");
    site.end().await;
}
