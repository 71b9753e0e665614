//! The one place that knows how a Lustre node behaves
