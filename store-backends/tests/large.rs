//! Large plans keep the contract: over memory with the limits of a cluster.

use store_backends::conformance::Fresh;
use store_backends::large::Large;
use store_backends::memory::MemoryStore;

async fn store() -> Fresh {
    Fresh::new(Large::new(MemoryStore::new()), ())
}

store_backends::conformance_suite!(store);
