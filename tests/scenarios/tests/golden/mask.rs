//! The mask and the comparer say the same.
use crate::session::mask_file;
use scenarios::mask::{Mask, Rule};

#[test]
fn the_comparer_masks_what_the_file_names_and_nothing_else() {
    let text = std::fs::read_to_string(mask_file()).unwrap();
    Mask::parse(&text).unwrap();
    let entry = "\n[[field]]\nwhere = \"ptlrpc reply body\"\nfields = [\"pb_status\"]\nwhy = \"\"\n";
    let error = Mask::parse(&format!("{text}{entry}")).unwrap_err();
    assert!(error.contains("does not know") && error.contains("pb_status"), "{error}");
    for rule in Rule::ALL {
        let (_, field) = rule.entry();
        let quoted = format!("\"{field}\"");
        assert_eq!(text.matches(&quoted).count(), 1, "{field}");
        let without = text.replace(&quoted, "").replace("[, ", "[").replace(", ,", ",").replace(", ]", "]");
        let error = Mask::parse(&without).unwrap_err();
        assert!(error.contains("does not name") && error.contains(field), "{rule:?}: {error}");
    }
}
