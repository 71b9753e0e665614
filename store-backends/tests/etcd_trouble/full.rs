//! The quota of the cluster is used up, and given again.

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client};
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::{CommitOutcome, Store, StoreError};

use super::{commit, put, request, run};

const QUOTA: u64 = 16 << 20;

#[test]
fn a_full_cluster_is_told_before_and_then_and_goes_on() {
    run(async {
        let cluster = Cluster::start(1, &Settings { quota_bytes: Some(QUOTA), ..Settings::default() });
        let store = cluster.open(&format!("{}?quota={QUOTA}", cluster.url("full"))).await;
        let (mut warned, mut seq) = (false, 0);
        let refused = loop {
            let space = store.space().await.unwrap();
            assert_eq!(space.quota_bytes, QUOTA);
            warned |= !space.alarm && space.warning().is_some();
            match store.commit(request(seq, vec![put("llog/big", vec![7; 500_000])])).await {
                CommitOutcome::Committed(now) => seq = now,
                CommitOutcome::Unknown(e) => break e,
                CommitOutcome::Conflict { at } => panic!("conflict at {at}"),
            }
            assert!(seq < 100, "it never fills");
        };
        assert!(matches!(refused, StoreError::OverQuota { .. }) && refused.is_refusal(), "{refused}");
        assert!(warned, "there was no warning before");
        assert!(store.warnings().await.unwrap()[0].contains("NOSPACE"));
        // reading goes on, and what was acknowledged is all there is
        assert_eq!(store.barrier().await, Ok(seq));
        assert_eq!(store.commits(0, 1000).await.unwrap().len(), usize::try_from(seq).unwrap());
        assert_eq!(store.range("llog/").await.unwrap().entries.len(), 1);

        let mut operator =
            Client::connect([format!("http://127.0.0.1:{}", cluster.port(0))], None).await.unwrap();
        let revision = operator.get("x", None).await.unwrap().header().unwrap().revision();
        let wait = etcd_client::CompactionOptions::new().with_physical();
        operator.compact(revision, Some(wait)).await.unwrap();
        operator.defragment().await.unwrap();
        let raised = operator.alarm(AlarmAction::Get, AlarmType::Nospace, None).await.unwrap();
        let mut member = AlarmOptions::new();
        member.with_member(raised.alarms()[0].member_id());
        operator.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(member)).await.unwrap();
        assert_eq!(commit(&store, vec![put("llog/big", "small")]).await.0, seq + 1);
        assert_eq!(store.warnings().await, Ok(vec![]));
    });
}
