//! The etcd store keeps the contract, on a cluster of three.

use std::sync::LazyLock;

use store_backends::conformance::Fresh;
use store_backends::conformance::cluster::{Cluster, Settings};

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(3, &Settings::default()));

async fn store() -> Fresh {
    Fresh::new(CLUSTER.fresh_store().await, ())
}

store_backends::conformance_suite!(store);
