//! The parameter string of a registration (`mti_params`): split as the kernel splits it.

use crate::Errno;
use crate::error::Error;
use wire::Nid;

/// Splits at spaces; quotes protect spaces and are removed. An unbalanced quote is refused.
pub fn split(target: &str, params: &str) -> Result<Vec<String>, Error> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in params.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ' | '\t' | '\n') => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
            }
            (_, c) => word.push(c),
        }
    }
    if quote.is_some() {
        return Err(Error::refused(
            target,
            Errno::EINVAL,
            format!("parameters '{}' have an unbalanced quote", params.trim()),
            "close the quote with tunefs.lustre --param and mount again",
        ));
    }
    if !word.is_empty() {
        out.push(word);
    }
    Ok(out)
}

/// What the registration itself takes from the parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Values of `failover.node=`, in order.
    pub failover: Vec<String>,
    /// `failover.mode=failout`.
    pub failout: bool,
    /// Everything else that is to be set, `name=value`.
    pub settings: Vec<String>,
}

/// Sorts the words of a parameter string by who uses them.
pub fn parse(target: &str, params: &str) -> Result<Parsed, Error> {
    let mut out = Parsed::default();
    for word in split(target, params)? {
        let (name, value) = word.split_once('=').unwrap_or((word.as_str(), ""));
        match name {
            "failover.node" => out.failover.push(value.to_owned()),
            "failover.mode" => out.failout = value == "failout",
            // The mount helper's own, and two that the kernel ignores here.
            "mgsnode" | "network" | "autodegrade" => {}
            _ => out.settings.push(word),
        }
    }
    Ok(out)
}

/// Nodes of one `failover.node=` value: `,` joins NIDs of a node, `:` starts the next. A NID that does not parse ends
/// the list, as in the kernel.
pub fn failover_nodes(value: &str) -> Vec<Vec<Nid>> {
    let mut nodes = Vec::new();
    // IPv6 addresses contain ':', so a node ends only at the ':' behind an '@net'.
    let mut node: Vec<Nid> = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let Some(at) = rest.find('@') else { break };
        let end = rest.get(at..).and_then(|t| t.find([',', ':'])).map_or(rest.len(), |n| at + n);
        let Some(Ok(nid)) = rest.get(..end).map(str::parse::<Nid>) else { break };
        node.push(nid);
        match rest.as_bytes().get(end) {
            Some(b':') => nodes.push(std::mem::take(&mut node)),
            Some(_) => {}
            None => break,
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    if !node.is_empty() {
        nodes.push(node);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotes() {
        let p = parse(
            "t",
            "mgsnode=10.0.0.1@tcp  sys.timeout=60 failover.node=10.77.0.5@tcp mdt.x=\"a b\" failover.mode=failout ",
        )
        .unwrap();
        assert_eq!(p.failover, ["10.77.0.5@tcp"]);
        assert!(p.failout);
        assert_eq!(p.settings, ["sys.timeout=60", "mdt.x=a b"]);
        assert_eq!(split("t", "a=\"b").map_err(|e| e.errno()), Err(Errno::EINVAL));
    }

    #[test]
    fn failover_lists() {
        let texts = |v: &str| -> Vec<Vec<String>> {
            failover_nodes(v).iter().map(|n| n.iter().map(ToString::to_string).collect()).collect()
        };
        assert_eq!(
            texts("10.0.0.1@tcp,10.1.0.1@o2ib:10.0.0.2@tcp"),
            [vec!["10.0.0.1@tcp".to_owned(), "10.1.0.1@o2ib".to_owned()], vec!["10.0.0.2@tcp".to_owned()]]
        );
        assert_eq!(
            texts("fd00::1@tcp:fd00::2@tcp"),
            [vec!["fd00::1@tcp".to_owned()], vec!["fd00::2@tcp".to_owned()]]
        );
        assert_eq!(texts("10.0.0.1@tcp:junk"), [vec!["10.0.0.1@tcp".to_owned()]]);
        assert!(texts("junk").is_empty());
    }
}
