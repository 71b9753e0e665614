//! Two values of one type, field by field, by way of their debug form: no field can be forgotten.
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Longest value that is printed whole.
const LONG: usize = 160;

/// Fields that differ: path, kernel, ours.
pub(super) fn diff(kernel: &impl Debug, ours: &impl Debug) -> Vec<(String, String, String)> {
    let (kernel, ours) = (leaves(&format!("{kernel:#x?}")), leaves(&format!("{ours:#x?}")));
    let mut out = Vec::new();
    for (path, value) in &kernel {
        let other = ours.get(path);
        if other != Some(value) {
            out.push((path.clone(), short(value), other.map_or_else(|| "-".to_owned(), |o| short(o))));
        }
    }
    let new = ours.iter().filter(|(path, _)| !kernel.contains_key(*path));
    out.extend(new.map(|(path, value)| (path.clone(), "-".to_owned(), short(value))));
    out
}

fn short(value: &str) -> String {
    if value.len() <= LONG {
        return value.to_owned();
    }
    format!("{}… ({} characters)", value.chars().take(LONG).collect::<String>(), value.len())
}

/// Paths and values of a pretty debug text.
fn leaves(text: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    // Path and number of children so far.
    let mut open: Vec<(String, usize)> = vec![(String::new(), 0)];
    for line in text.lines() {
        let line = line.trim().trim_end_matches(',');
        if matches!(line, "}" | ")" | "]") {
            open.pop();
            continue;
        }
        let root = open.len() == 1;
        let Some((path, children)) = open.last_mut() else { break };
        let (name, value) = match line.split_once(": ") {
            Some((name, value)) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                (name.to_owned(), value)
            }
            _ => (children.to_string(), line),
        };
        *children += 1;
        let path = match path.as_str() {
            _ if root => String::new(),
            "" => name,
            _ => format!("{path}.{name}"),
        };
        match value.strip_suffix(['{', '(', '[']) {
            Some(kind) => {
                // A variant is a value too.
                if !kind.is_empty() {
                    out.insert(path.clone(), kind.trim().to_owned());
                }
                open.push((path, 0));
            }
            None => drop(out.insert(path, value.to_owned())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code)]
    struct Inner {
        list: Vec<u32>,
        text: &'static str,
    }
    #[derive(Debug)]
    #[allow(dead_code)]
    enum Outer {
        One(Inner, u8),
        Two,
    }

    #[test]
    fn every_difference_has_its_path() {
        let one = |list: &[u32], text| Outer::One(Inner { list: list.to_vec(), text }, 7);
        assert_eq!(diff(&one(&[1, 2], "a: {"), &one(&[1, 2], "a: {")), []);
        let found = diff(&one(&[1, 2], "a"), &one(&[1, 3, 4], "b {"));
        let text = |s: &str| s.to_owned();
        assert_eq!(
            found,
            [
                (text("0.list.1"), text("0x2"), text("0x3")),
                (text("0.text"), text("\"a\""), text("\"b {\"")),
                (text("0.list.2"), text("-"), text("0x4")),
            ]
        );
        assert!(!diff(&one(&[], ""), &Outer::Two).is_empty());
    }
}
