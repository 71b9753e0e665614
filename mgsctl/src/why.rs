//! `mgsctl why`.

use mgs_api::{Client, Decision, List};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

pub(crate) async fn run(api: &Client, out: &Output, subject: &str) -> Result<(), Failure> {
    out.document(&api.why(subject).await?, |list| show(list, subject))
}

fn show(list: &List<Decision>, subject: &str) -> String {
    if list.items.is_empty() {
        return format!(
            "nothing is known of {subject}: it has not asked, nor was it asked for, since mgsd started; names are those of \
             nodes, targets and logs (10.0.0.1@tcp, testfs-OST0000, testfs-client); on a node, check its MGS NID and \
             'lctl ping'\n"
        );
    }
    let mut table = Table::new(&["TIME", "NID", "ASKED", "OBJECT", "ANSWER", "WHY"]);
    for d in &list.items {
        let answer = match (&d.errno, d.status) {
            (Some(name), status) => format!("{status} {name}"),
            (None, 0) => "ok".to_owned(),
            (None, status) => status.to_string(),
        };
        let object = if d.object.is_empty() { "-" } else { &d.object };
        let why = if d.why.is_empty() { "-" } else { &d.why };
        table.row([
            d.time.to_string(),
            d.nid.clone(),
            d.op.clone(),
            object.to_owned(),
            answer,
            why.to_owned(),
        ]);
    }
    table.render()
}
