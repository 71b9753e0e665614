//! Everything that one process serves: one MGS, or those of the `[[mgs]]` sections.

use super::{Arguments, Config, ConfigError, File, Tuning, read, sections, unix_path};
use lnet_core::RouteError;
use std::path::PathBuf;
use store_backends::Place;

/// What one process serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Socket of the HTTP API for those who name no MGS. With several, each has its own in a directory of its name
    /// beside this one.
    pub api: PathBuf,
    /// At least one; all have names, or there is only one.
    pub mgs: Vec<Config>,
}

impl Config {
    /// Puts command line and file together, where that is one MGS.
    ///
    /// # Errors
    /// Those of [`Site::new`] and [`Site::choose`].
    pub fn new(arguments: &Arguments) -> Result<Self, ConfigError> {
        let chosen = arguments.command.as_ref().and_then(|command| command.mgs());
        Site::new(arguments)?.choose(chosen)
    }
}

impl Site {
    /// Puts command line and file together.
    ///
    /// # Errors
    /// Which file, section and value, and what is allowed there.
    pub fn new(arguments: &Arguments) -> Result<Self, ConfigError> {
        let options = arguments.options.clone();
        let file = match &options.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let path = options.config.clone().unwrap_or_default();
        let data = options.data.clone().or(file.data.clone()).ok_or(ConfigError::Missing(
            "no data directory: say --data DIR, or data = \"DIR\" in the configuration file",
        ))?;
        let bad = |what: String| ConfigError::Parse { path: path.clone(), what };
        let socket = |name: &str, text: Option<&String>| {
            text.map(|t| unix_path(t).map_err(|e| bad(format!("{name} = \"{t}\": {e}")))).transpose()
        };
        let api = socket("api", file.api.as_ref())?;
        let api = options.api.clone().or(api).unwrap_or_else(|| data.join("api.sock"));
        let mut routes = options.routes.clone();
        if routes.is_empty() {
            let parsed = file.route.iter().map(|text| text.parse());
            routes = parsed.collect::<Result<_, RouteError>>().map_err(|e| bad(e.to_string()))?;
        }
        let tuning = Tuning::of(&file);
        let mut config = Config {
            name: None,
            api: api.clone(),
            api_alias: None,
            relay: None,
            store: Place::Sqlite(data.clone()),
            data,
            nids: Vec::new(),
            port: options.port.or(file.port),
            bind: Vec::new(),
            wait_address: options.wait_address || file.wait_address,
            routes,
            catalogue: options.catalogue.clone().or(file.catalogue.clone()),
            ir_timeout: tuning.ir_timeout(),
            dead_sections: tuning.dead_sections.unwrap_or(false),
            keep: tuning.keep(),
            check_interval: tuning.check_interval(),
        };
        if !file.mgs.is_empty() {
            sections::nothing_beside_them(&options, &file, &path)?;
            return Ok(Self { mgs: sections::all(&config, &file, &path)?, api });
        }
        if let Some(text) = options.store.or(file.store) {
            config.store = Place::parse(&text)?;
        }
        config.nids = options.nid;
        if config.nids.is_empty() {
            for text in &file.nid {
                config.nids.push(
                    text.parse()
                        .map_err(|_| bad(format!("nid \"{text}\" is not a NID, such as 10.0.0.1@tcp")))?,
                );
            }
        }
        if config.nids.is_empty() && arguments.command.is_none() {
            return Err(ConfigError::Missing(
                "no NID: say --nid 10.0.0.1@tcp, or nid = [\"10.0.0.1@tcp\"] in the configuration file",
            ));
        }
        config.relay = options.relay.or(socket("relay", file.relay.as_ref())?);
        config.bind = if options.bind.is_empty() { file.bind } else { options.bind };
        Ok(Self { api, mgs: vec![config] })
    }

    /// One of them, by its name; where there is one only, it needs no name.
    ///
    /// # Errors
    /// There is none of this name, or there are several and none was named.
    pub fn choose(mut self, name: Option<&str>) -> Result<Config, ConfigError> {
        let known: Vec<String> = self.mgs.iter().filter_map(|config| config.name.clone()).collect();
        let at = match name {
            None if self.mgs.len() == 1 => Some(0),
            None => None,
            Some(_) if known.is_empty() => {
                return Err(ConfigError::Missing(
                    "--mgs chooses one of several [[mgs]] sections, and the configuration has none: leave it out",
                ));
            }
            Some(name) => self.mgs.iter().position(|config| config.name.as_deref() == Some(name)),
        };
        match at {
            Some(at) => Ok(self.mgs.swap_remove(at)),
            None => {
                let what = name.map_or_else(
                    || "the configuration has several MGS".to_owned(),
                    |name| format!("the configuration has no MGS {name:?}"),
                );
                Err(ConfigError::Choice { what, known })
            }
        }
    }
}
