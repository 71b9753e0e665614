//! The name of a nodemap, in place: tens of thousands of them are looked up and compared for each batch.

use super::NAME_MAX;

/// A name, NUL behind it. In the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; NAME_MAX]);

impl Name {
    /// `None`: no nodemap has such a name.
    pub fn new(text: &str) -> Option<Self> {
        let mut name = [0; NAME_MAX];
        name.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.is_empty() && !text.contains('\0')).then_some(Self(name))
    }
    /// As text.
    pub fn as_str(&self) -> &str {
        let text = self.0.split(|b| *b == 0).next().unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_come_out_as_they_went_in_and_are_ordered_as_texts(a in "\\PC{0,17}", b in "[a-c]{1,16}") {
            match (Name::new(&a), Name::new(&b)) {
                (Some(name), Some(other)) => {
                    prop_assert_eq!(name.as_str(), &a);
                    prop_assert_eq!(name.cmp(&other), a.cmp(&b));
                }
                (None, _) => prop_assert!(a.is_empty() || a.len() > NAME_MAX),
                (_, None) => prop_assert!(false, "{b}"),
            }
        }
    }

    #[test]
    fn a_name_has_no_end_inside() {
        assert_eq!((Name::new("a\0b"), Name::new("")), (None, None));
    }
}
