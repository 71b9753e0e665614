//! The memory store keeps the contract.

use store_backends::conformance::Fresh;
use store_backends::memory::MemoryStore;

async fn store() -> Fresh {
    Fresh::new(MemoryStore::new(), ())
}

store_backends::conformance_suite!(store);
