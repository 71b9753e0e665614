//! The catalogue: what is in the file, and how a name is found in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::automaton::{Automaton, BadRegex};
use crate::entry::Tunable;
use crate::pattern::Piece;

/// Version of the file layout that this crate reads.
pub const SCHEMA: u32 = 1;

/// A catalogue file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCatalogue {
    /// No TOML, or fields that do not fit.
    #[error("the catalogue cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// Another layout.
    #[error(
        "the catalogue has schema {0}, this program reads schema {SCHEMA}: take the catalogue of its version"
    )]
    Schema(u32),
    /// An expression of it.
    #[error("the catalogue's {what}: {source}")]
    Regex {
        /// Placeholder, grammar or path.
        what: String,
        /// What is wrong.
        source: BadRegex,
    },
    /// A name that stands for nothing.
    #[error("the catalogue's {what} names {name}, which it does not define")]
    Undefined {
        /// Where.
        what: String,
        /// What is missing.
        name: String,
    },
    /// Two entries with one id.
    #[error("the catalogue has {0} twice")]
    Twice(String),
}

/// Totals and origin.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Meta {
    /// Layout of the file.
    pub schema: u32,
    /// Version that was read.
    pub lustre_version: String,
    /// Commit that was read.
    pub lustre_commit: String,
}

/// A word in `<>` of a path, and what it stands for.
#[derive(Clone, Debug, Deserialize)]
pub struct Placeholder {
    /// With the angle brackets.
    pub name: String,
    /// Regular expression.
    pub regex: String,
    /// In words.
    pub desc: String,
}

/// Syntax of values that are neither plain numbers nor words.
#[derive(Clone, Debug, Deserialize)]
pub struct Grammar {
    /// Regular expression of the whole value.
    pub regex: String,
    /// In words.
    pub desc: String,
}

/// A prefix of conf_param names.
#[derive(Clone, Debug, Deserialize)]
pub struct ConfPrefix {
    /// With the dot.
    pub prefix: String,
    /// Form of the conf_param name.
    pub conf_param: String,
    /// Form of the set_param name.
    pub set_param: String,
    /// What has to hold.
    pub rule: String,
    /// Which nodes.
    pub reaches: String,
}

/// Another or older name.
#[derive(Clone, Debug, Deserialize)]
pub struct Alias {
    /// The other name: `component.name`.
    pub from: String,
    /// The name of today.
    pub to: String,
    /// Why.
    pub note: String,
}

/// How much a conflict matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The node takes both.
    Warn,
    /// The node refuses the second one.
    Error,
}

/// A relation between two tunables.
#[derive(Clone, Debug, Deserialize)]
pub struct Conflict {
    /// Its name.
    pub id: String,
    /// Id without `global.`, or the last part of it.
    pub left: String,
    /// `<=`, `<`, `same as`, `changes`, `depends`, `needs`.
    pub op: String,
    /// The same, may end in `/ 2` or `=value`.
    pub right: String,
    /// What a node does.
    pub level: Level,
    /// More.
    #[serde(default)]
    pub note: Option<String>,
}

/// A name of older releases.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Removed {
    /// Component; empty for global names.
    pub component: String,
    /// Last part of the name.
    pub name: String,
    /// First release looked at that had it.
    #[serde(default)]
    pub first: Option<String>,
    /// Last release that had it.
    pub last: String,
    /// What to write instead.
    #[serde(default)]
    pub replacement: Option<String>,
    /// More.
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    meta: Meta,
    #[serde(default)]
    placeholder: Vec<Placeholder>,
    #[serde(default)]
    grammar: BTreeMap<String, Grammar>,
    #[serde(default)]
    conf_prefix: Vec<ConfPrefix>,
    #[serde(default)]
    alias: Vec<Alias>,
    #[serde(default)]
    conflict: Vec<Conflict>,
    #[serde(default)]
    removed: Vec<Removed>,
    tunable: Vec<Tunable>,
}

/// One segment of the paths, shared by all that have it.
#[derive(Debug)]
struct Segment {
    text: String,
    /// Without placeholders.
    literal: bool,
    /// File system names without a hyphen.
    strict: Automaton,
    /// Any file system name.
    loose: Automaton,
}

/// A path, or another path of the same tunable.
#[derive(Debug)]
struct Template {
    tunable: usize,
    segments: Vec<usize>,
}

/// Tunables of one Lustre version. Read once, shared, never changed.
#[derive(Debug)]
pub struct Catalogue {
    file: File,
    segments: Vec<Segment>,
    templates: Vec<Template>,
    by_last: HashMap<String, Vec<usize>>,
    open_last: Vec<usize>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_id: HashMap<String, usize>,
    by_conf: HashMap<String, Vec<usize>>,
    grammars: HashMap<String, Automaton>,
}

impl Catalogue {
    /// The catalogue that is part of this crate, parsed at the first call.
    pub fn shipped() -> &'static Catalogue {
        static SHIPPED: OnceLock<Catalogue> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            // A test reads this very text.
            #[allow(clippy::expect_used)]
            Catalogue::parse(include_str!("../catalogue.toml")).expect("the catalogue that was tested")
        })
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn parse(text: &str) -> Result<Self, BadCatalogue> {
        let file: File = toml::from_str(text)?;
        if file.meta.schema != SCHEMA {
            return Err(BadCatalogue::Schema(file.meta.schema));
        }
        let mut grammars = HashMap::new();
        for (name, grammar) in &file.grammar {
            let automaton = Automaton::regex(&grammar.regex)
                .map_err(|source| BadCatalogue::Regex { what: format!("grammar {name}"), source })?;
            grammars.insert(name.clone(), automaton);
        }
        let mut catalogue = Catalogue {
            file,
            segments: Vec::new(),
            templates: Vec::new(),
            by_last: HashMap::new(),
            open_last: Vec::new(),
            by_name: BTreeMap::new(),
            by_id: HashMap::new(),
            by_conf: HashMap::new(),
            grammars,
        };
        catalogue.index()?;
        Ok(catalogue)
    }

    fn index(&mut self) -> Result<(), BadCatalogue> {
        let mut interned: HashMap<String, usize> = HashMap::new();
        let mut paths: Vec<(usize, String)> = Vec::new();
        for (at, tunable) in self.file.tunable.iter().enumerate() {
            if self.by_id.insert(tunable.id.clone(), at).is_some() {
                return Err(BadCatalogue::Twice(tunable.id.clone()));
            }
            if let Some(grammar) = tunable.grammar.as_ref().filter(|name| !self.grammars.contains_key(*name))
            {
                let what = tunable.id.clone();
                return Err(BadCatalogue::Undefined { what, name: format!("grammar {grammar}") });
            }
            self.by_name.entry(tunable.name.clone()).or_default().push(at);
            if let Some((_, name)) = tunable.conf_param.as_ref().and_then(|c| c.split_once('.')) {
                self.by_conf.entry(name.to_owned()).or_default().push(at);
            }
            let Some(path) = &tunable.path else { continue };
            paths.push((at, path.clone()));
            paths.extend(tunable.aliases.iter().filter(|a| a.contains('.')).map(|a| (at, a.clone())));
            // The devices of one component that show up below another, too.
            for alias in self.file.alias.iter().filter(|a| !a.from.contains('.') && !a.to.contains(' ')) {
                if tunable.component.as_deref() == Some(&alias.from)
                    && tunable.instance.as_ref().is_some_and(|i| i.contains("<fsname>"))
                    && alias.to == "lov"
                {
                    let rest = path.strip_prefix(&alias.from).unwrap_or_default();
                    paths.push((at, format!("{}{rest}", alias.to)));
                }
            }
        }
        for (tunable, path) in paths {
            let mut segments = Vec::new();
            for text in path.split('.') {
                let next = match interned.get(text) {
                    Some(known) => *known,
                    None => {
                        let segment = self.segment(text, &path)?;
                        self.segments.push(segment);
                        interned.insert(text.to_owned(), self.segments.len() - 1);
                        self.segments.len() - 1
                    }
                };
                segments.push(next);
            }
            let at = self.templates.len();
            match segments.last().and_then(|last| self.segments.get(*last)) {
                Some(last) if last.literal => {
                    self.by_last.entry(last.text.clone()).or_default().push(at);
                }
                _ => self.open_last.push(at),
            }
            self.templates.push(Template { tunable, segments });
        }
        Ok(())
    }

    fn segment(&self, text: &str, path: &str) -> Result<Segment, BadCatalogue> {
        let mut regex = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('<') {
            let (before, from) = rest.split_at(open);
            regex.push_str(&regex_syntax::escape(before));
            let end = from.find('>').map_or(from.len(), |close| close + 1);
            let (name, after) = from.split_at(end);
            let placeholder = self.file.placeholder.iter().find(|p| p.name == name).ok_or_else(|| {
                BadCatalogue::Undefined { what: format!("path {path}"), name: name.to_owned() }
            })?;
            regex.push_str(&format!("(?:{})", placeholder.regex));
            rest = after;
        }
        regex.push_str(&regex_syntax::escape(rest));
        let automaton = |regex: &str| {
            Automaton::regex(regex)
                .map_err(|source| BadCatalogue::Regex { what: format!("path {path}"), source })
        };
        // A file system may be called a-osc-b. Then *-osc-* means too much; so it is tried only where nothing else fits.
        let strict = regex.replace("[0-9A-Za-z_-]", "[0-9A-Za-z_]");
        let literal = !text.contains('<');
        Ok(Segment { text: text.to_owned(), literal, strict: automaton(&strict)?, loose: automaton(&regex)? })
    }

    /// Origin of the catalogue.
    pub fn meta(&self) -> &Meta {
        &self.file.meta
    }

    /// Every tunable, by id.
    pub fn tunables(&self) -> &[Tunable] {
        &self.file.tunable
    }

    /// Prefixes of conf_param names.
    pub fn conf_prefixes(&self) -> &[ConfPrefix] {
        &self.file.conf_prefix
    }

    /// Other and older names.
    pub fn aliases(&self) -> &[Alias] {
        &self.file.alias
    }

    /// Relations between two tunables.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.file.conflict
    }

    /// Names of older releases.
    pub fn removed(&self) -> &[Removed] {
        &self.file.removed
    }

    /// Placeholders of the paths.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.file.placeholder
    }

    /// Grammars of values, by name.
    pub fn grammars(&self) -> &BTreeMap<String, Grammar> {
        &self.file.grammar
    }

    /// A tunable by its id.
    pub fn by_id(&self, id: &str) -> Option<&Tunable> {
        self.file.tunable.get(*self.by_id.get(id)?)
    }

    /// The tunables with this last part, in whatever component.
    pub fn by_name(&self, name: &str) -> Vec<&Tunable> {
        self.pick(self.by_name.get(name).into_iter().flatten().copied())
    }

    /// Every last part that is in use.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The tunables that conf_param reaches by this name, device left out: `osc.max_dirty_mb`.
    pub fn by_conf_param(&self, name: &str) -> Vec<&Tunable> {
        self.pick(self.by_conf.get(name).into_iter().flatten().copied())
    }

    /// The tunables that a set_param name or pattern can hit on some node. No braces; see [`crate::alternatives`].
    pub fn by_pattern(&self, name: &str) -> Vec<&Tunable> {
        self.by_segments(&crate::pattern::segments(name).iter().map(|s| Piece::new(s)).collect::<Vec<_>>())
    }

    pub(crate) fn by_segments(&self, pieces: &[Piece]) -> Vec<&Tunable> {
        let Some(last) = pieces.last() else { return Vec::new() };
        let candidates: Vec<usize> = if last.wild {
            (0..self.templates.len()).collect()
        } else {
            self.by_last.get(&last.text).into_iter().flatten().chain(&self.open_last).copied().collect()
        };
        for loose in [false, true] {
            // Segments are shared by many paths: each is compared once per piece.
            let mut known: HashMap<(usize, usize), bool> = HashMap::new();
            let hits: BTreeSet<usize> = candidates
                .iter()
                .filter_map(|at| self.templates.get(*at))
                .filter(|template| {
                    template.segments.len() == pieces.len()
                        && template.segments.iter().zip(pieces).enumerate().all(|(n, (segment, piece))| {
                            *known
                                .entry((n, *segment))
                                .or_insert_with(|| self.segment_meets(*segment, piece, loose))
                        })
                })
                .map(|template| template.tunable)
                .collect();
            if !hits.is_empty() {
                return self.pick(hits.into_iter());
            }
        }
        Vec::new()
    }

    fn segment_meets(&self, segment: usize, piece: &Piece, loose: bool) -> bool {
        let Some(segment) = self.segments.get(segment) else { return false };
        let automaton = if loose { &segment.loose } else { &segment.strict };
        match (segment.literal, piece.wild) {
            (true, _) => piece.hits(&segment.text),
            (false, false) => automaton.matches(piece.text.as_bytes()),
            (false, true) => automaton.meets(&piece.automaton),
        }
    }

    /// Whether a piece can be a device of some file system.
    pub(crate) fn is_device(&self, piece: &Piece) -> bool {
        self.segments.iter().filter(|s| s.text.contains("<fsname>")).any(|s| {
            if piece.wild { s.loose.meets(&piece.automaton) } else { s.loose.matches(piece.text.as_bytes()) }
        })
    }

    /// Whether a grammar takes a value. None when there is no such grammar.
    pub(crate) fn grammar_takes(&self, grammar: &str, value: &str) -> Option<bool> {
        Some(self.grammars.get(grammar)?.matches(value.as_bytes()))
    }

    fn pick(&self, list: impl Iterator<Item = usize>) -> Vec<&Tunable> {
        list.filter_map(|at| self.file.tunable.get(at)).collect()
    }
}
