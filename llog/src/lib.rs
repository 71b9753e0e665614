//! The Lustre configuration log: container, records and text forms
