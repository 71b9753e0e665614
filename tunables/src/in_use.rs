//! The catalogue that a program judges with.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::catalogue::Catalogue;

/// The shipped catalogue, or another in its place. A copy costs nothing.
#[derive(Clone, Default)]
pub struct InUse(Option<Arc<Catalogue>>);

impl From<Catalogue> for InUse {
    fn from(catalogue: Catalogue) -> Self {
        InUse(Some(Arc::new(catalogue)))
    }
}

impl Deref for InUse {
    type Target = Catalogue;

    fn deref(&self) -> &Catalogue {
        self.0.as_deref().unwrap_or_else(|| Catalogue::shipped())
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.0.is_some() { "loaded" } else { "shipped" };
        write!(f, "InUse({origin}, Lustre {})", self.meta().lustre_version)
    }
}
