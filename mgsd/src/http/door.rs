//! The socket of a process with several MGS: it says which there are, and changes nothing. Each has its own API beside it.

use super::answer::Refusal;
use axum::Router;
use mgs_api::{Problem, ProblemKind};
use std::path::PathBuf;
use tokio::sync::watch;

/// One MGS, as it is announced there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Socket of its API.
    pub api: PathBuf,
    /// Why it does not serve now.
    pub down: Option<String>,
}

/// Whatever is asked, the answer is the list.
pub fn door(entries: watch::Receiver<Vec<Entry>>) -> Router {
    Router::new().fallback(move || {
        let problem = problem(&entries.borrow());
        async move { Refusal::from(problem) }
    })
}

fn problem(entries: &[Entry]) -> Problem {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut detail = "several MGS, each with an API of its own".to_owned();
    for entry in entries {
        if let Some(why) = &entry.down {
            detail.push_str(&format!("; {} does not serve: {why}", entry.name));
        }
    }
    let problem = Problem::new(ProblemKind::SeveralMgs, "this mgsd", detail).allowed(names.join(", "));
    match entries.first() {
        Some(Entry { name, api, .. }) => {
            problem.hint(format!("choose one: mgsctl --mgs {name} (its socket: unix:{})", api.display()))
        }
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_them_and_says_who_is_down() {
        let entry = |name: &str, down: Option<&str>| Entry {
            name: name.to_owned(),
            api: format!("/r/{name}/api.sock").into(),
            down: down.map(str::to_owned),
        };
        let said = problem(&[entry("a", None), entry("b", Some("no store"))]);
        assert_eq!((said.status, said.kind), (421, ProblemKind::SeveralMgs));
        assert_eq!(
            said.to_string(),
            "this mgsd: several MGS, each with an API of its own; b does not serve: no store; allowed: a, b; \
             choose one: mgsctl --mgs a (its socket: unix:/r/a/api.sock)"
        );
    }
}
