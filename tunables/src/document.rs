//! The catalogue as a document for people: `docs/tunables.md`.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::catalogue::Catalogue;
use crate::entry::{Confidence, Mode, Persist, Tunable};
use crate::judge::allowed;
use crate::verdict::Class;

const HEAD: &str = "\
What mgsd knows of Lustre's parameters, and holds every assignment against. Generated from `tunables/catalogue.toml` by \
`MGSD_BLESS=1 cargo test -p tunables`; do not edit. `mgsctl param explain NAME` shows all that is known of one, with the file of the \
Lustre tree that it was read from; `mgsctl param validate` judges a list of assignments without a daemon.

A parameter has two spellings. `lctl set_param -P` names files of a node, with wildcards; `lctl conf_param` names a device and a \
prefix. Both are accepted everywhere. In the names below `<fsname>`, `<idx>` and the like stand for parts that the installation \
gives; `<mount>` is different at each mount, so write `*` for it.

*Stored* says whether an assignment is kept: actions and counters are not, as they would be repeated at every mount. *Since* is \
the first release that has the name. A name with `?` was not verified in the source: mistakes are warned of, not refused.
";

/// The classes of verdicts, for the table of the document.
const CLASSES: &[(Class, &str)] = &[
    (Class::Syntax, "no `=`, no name, no device; braces that do not match"),
    (Class::Unsafe, "control characters, characters of a shell or of other scripts, `..` in a path"),
    (Class::BadDevice, "file system, target or nodemap malformed or not registered"),
    (Class::UnknownPrefix, "conf_param has no such prefix"),
    (Class::Refused, "may never be set this way"),
    (Class::WrongTarget, "the prefix needs another kind of device"),
    (Class::Removed, "existed in earlier releases; warned of where a registered target still has it"),
    (Class::WrongComponent, "exists elsewhere"),
    (Class::Unknown, "exists nowhere; `--force` takes it"),
    (Class::NoConfParam, "conf_param cannot reach it"),
    (Class::Shadowed, "conf_param would write another attribute"),
    (Class::ReadOnly, "has no store function"),
    (Class::NotPersistent, "an action, a counter, a module option, a value with a command of its own"),
    (Class::Empty, "no value: `-d` deletes"),
    (Class::Length, "too short or too long"),
    (Class::Value, "wrong syntax or word"),
    (Class::Unit, "unknown suffix of a size, or one that is not read"),
    (Class::Range, "outside of the limits"),
    (Class::WrongService, "`orr` and `trr` outside of `ost_io`"),
    (Class::Upcall, "a program or a place that the operator has not allowed"),
    (Class::TooNew, "warning: a registered target is too old for the name"),
    (Class::Conflict, "warning: contradicts a stored value"),
    (Class::Deprecated, "warning: has a replacement"),
    (Class::Discouraged, "warning: for repair or fault injection, or there is a better way"),
    (Class::DocumentedRange, "warning: outside of the documented range"),
    (Class::Lenient, "warning: understood by some nodes, or by chance"),
    (Class::RuntimeLimit, "note: a limit that only the node knows"),
    (Class::Uevent, "note: applied through udev and lctl on each node"),
];

/// The document.
pub fn markdown(catalogue: &Catalogue) -> String {
    let mut text = String::from("# Tunables\n\n");
    text.push_str(HEAD);
    let meta = catalogue.meta();
    let all = catalogue.tunables();
    let count = |what: &dyn Fn(&Tunable) -> bool| all.iter().filter(|t| what(t)).count();
    let _ = writeln!(
        text,
        "\nLustre {}, commit `{}`: {} names, {} can be written, {} can be stored; {} are verified.\n",
        meta.lustre_version,
        meta.lustre_commit.get(..12).unwrap_or(&meta.lustre_commit),
        all.len(),
        count(&|t| t.mode != Mode::Ro),
        count(&|t| t.mode != Mode::Ro && t.not_stored().is_none()),
        count(&|t| t.confidence == Confidence::Verified),
    );
    classes(&mut text);
    prefixes(&mut text, catalogue);
    relations(&mut text, catalogue);
    let mut components: BTreeMap<&str, Vec<&Tunable>> = BTreeMap::new();
    for tunable in all {
        components.entry(tunable.component.as_deref().unwrap_or("global")).or_default().push(tunable);
    }
    for (component, tunables) in components {
        component_section(&mut text, catalogue, component, &tunables);
    }
    text
}

/// A text in a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

/// A name in a cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn classes(text: &mut String) {
    text.push_str(
        "## Verdicts\n\nIn the order in which they are looked for.\n\n| Class | Meaning |\n|---|---|\n",
    );
    for (class, meaning) in CLASSES {
        let _ = writeln!(text, "| `{class}` | {meaning} |");
    }
    text.push('\n');
}

fn prefixes(text: &mut String, catalogue: &Catalogue) {
    text.push_str("## Spellings\n\n| conf_param | set_param -P | Reaches | Rule |\n|---|---|---|---|\n");
    for prefix in catalogue.conf_prefixes() {
        let (conf, set) = (cell(&prefix.conf_param), cell(&prefix.set_param));
        let _ = writeln!(text, "| {conf} | {set} | {} | {} |", cell(&prefix.reaches), cell(&prefix.rule));
    }
    text.push('\n');
}

fn relations(text: &mut String, catalogue: &Catalogue) {
    text.push_str("## Relations between values\n\n| Holds | Otherwise |\n|---|---|\n");
    for c in catalogue.conflicts() {
        let effect = c.note.clone().unwrap_or_else(|| format!("{:?}", c.level).to_lowercase());
        let _ =
            writeln!(text, "| {} {} {} | {} |", code(&c.left), cell(&c.op), code(&c.right), cell(&effect));
    }
    text.push_str("\n## Names of older releases\n\n| Name | Last release | Instead |\n|---|---|---|\n");
    for old in catalogue.removed() {
        let dot = if old.component.is_empty() { "" } else { "." };
        let instead = old.replacement.as_deref().map(code).unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(text, "| `{}{dot}{}` | {} | {instead} |", old.component, old.name, old.last);
    }
    text.push('\n');
}

fn component_section(text: &mut String, catalogue: &Catalogue, component: &str, tunables: &[&Tunable]) {
    let _ = writeln!(text, "## {component}\n");
    let (read_only, written): (Vec<&Tunable>, Vec<&Tunable>) =
        tunables.iter().copied().partition(|t| t.mode == Mode::Ro);
    if !written.is_empty() {
        text.push_str(
            "| Name | conf_param | Takes | Default | Stored | Since | |\n|---|---|---|---|---|---|---|\n",
        );
    }
    for t in written {
        let sure = if t.confidence == Confidence::Verified { "" } else { " ?" };
        let name = code(t.path.as_deref().or(t.conf_param.as_deref()).unwrap_or(&t.id));
        let conf = match (&t.conf_param, t.shadow()) {
            (Some(_), Some(_)) | (None, _) => "-".to_owned(),
            (Some(conf), None) => code(conf),
        };
        let stored = match (t.not_stored(), t.persist) {
            (Some(_), Persist::Modprobe) => "modprobe",
            (Some(_), Persist::Ioctl) => "own command",
            (Some(_), _) => "no",
            (None, Persist::Discouraged) => "better not",
            (None, _) => "yes",
        };
        let default = t.default.as_deref().map(cell).unwrap_or_default();
        let since = t.since.map(|s| s.to_string()).unwrap_or_default();
        let takes = cell(&allowed(catalogue, t));
        let _ = writeln!(
            text,
            "| {name}{sure} | {conf} | {takes} | {default} | {stored} | {} | {} |",
            cell(&since),
            cell(&t.desc)
        );
    }
    if !read_only.is_empty() {
        let names: Vec<String> = read_only.iter().map(|t| code(&t.name)).collect();
        let _ = writeln!(text, "\nRead only: {}.", names.join(", "));
    }
    text.push('\n');
}
