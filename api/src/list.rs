//! Lists, together with the state they reflect.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A list and the `seq` it reflects: every commit up to that number is in it, none after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// Number of the newest commit that the list contains.
    pub seq: u64,
    /// The entries, in the order of their names unless the route says otherwise.
    pub items: Vec<T>,
}
