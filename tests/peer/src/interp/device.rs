//! The commands, one by one. Errors are negative errnos, as the kernel's class driver returns them.
use super::Role;
use super::tree::{ConfigTree, Device, Member, Profile};
use llog::LustreCfg;
use llog::lcfg::cmd;
use wire::Nid;

const ENOENT: i32 = -2;
const EEXIST: i32 = -17;
const ENODEV: i32 = -19;
const EINVAL: i32 = -22;
/// Length of `lov_desc` and `lmv_desc`.
const DESC: usize = 88;
/// Second word of a `lov_desc`.
const LOV_MAGIC: [u8; 4] = 0xb0cc_de5c_u32.to_le_bytes();

impl ConfigTree {
    pub(super) fn run(&mut self, role: Role, rec: &LustreCfg, active: bool) -> Result<(), i32> {
        match rec.command {
            cmd::ATTACH => self.attach(role, rec),
            cmd::DETACH | cmd::CLEANUP => self.devices.remove(dev(rec)?).map(|_| ()).ok_or(ENODEV),
            cmd::SETUP => self.setup(rec),
            cmd::ADD_UUID => self.add_uuid(rec),
            cmd::DEL_UUID => {
                match rec.buf_str(1) {
                    Some(node) => drop(self.nodes.remove(node)),
                    None => self.nodes.clear(),
                }
                Ok(())
            }
            cmd::MOUNTOPT => {
                let profile =
                    Profile { lov: text(rec, 2)?.to_owned(), lmv: rec.buf_str(3).map(str::to_owned) };
                self.profiles.insert(text(rec, 1)?.to_owned(), profile);
                Ok(())
            }
            cmd::DEL_MOUNTOPT => self.profiles.remove(text(rec, 1)?).map(|_| ()).ok_or(ENOENT),
            cmd::SET_TIMEOUT => {
                self.timeout = Some(rec.num);
                Ok(())
            }
            cmd::SET_LDLM_TIMEOUT => {
                self.ldlm_timeout = Some(rec.num);
                Ok(())
            }
            cmd::SET_UPCALL => Ok(()),
            cmd::ADD_CONN => self.add_conn(rec),
            cmd::DEL_CONN => {
                let node = text(rec, 1)?;
                let device = self.devices.get_mut(dev(rec)?).ok_or(EINVAL)?;
                device.connections.retain(|c| c != node);
                Ok(())
            }
            cmd::LOV_ADD_OBD => self.add_ost(rec, active),
            cmd::LOV_ADD_INA => self.add_ost(rec, false),
            cmd::LOV_DEL_OBD => {
                let key = (dev(rec)?.to_owned(), index(rec)?);
                self.osts.remove(&key).map(|_| ()).ok_or(EINVAL)
            }
            cmd::ADD_MDC => self.add_mdt(role, rec, active),
            cmd::DEL_MDC => {
                let key = (dev(rec)?.to_owned(), index(rec)?);
                self.mdts.remove(&key).map(|_| ()).ok_or(EINVAL)
            }
            cmd::PARAM => self.param(rec),
            cmd::SET_PARAM => {
                let (name, value) = text(rec, 1)?.split_once('=').ok_or(EINVAL)?;
                let scope = rec.dev().unwrap_or("general").to_owned();
                self.params.insert((scope, name.to_owned()), value.to_owned());
                Ok(())
            }
            cmd::POOL_NEW => {
                self.pools.entry(text(rec, 2)?.to_owned()).or_default();
                Ok(())
            }
            cmd::POOL_ADD => {
                let ost = text(rec, 3)?;
                let known = self.osts.values().any(|m| m.uuid == ost);
                let pool = self.pools.get_mut(text(rec, 2)?).ok_or(ENOENT)?;
                if !known {
                    return Err(ENOENT);
                }
                pool.insert(ost.to_owned());
                Ok(())
            }
            cmd::POOL_REM => {
                let pool = self.pools.get_mut(text(rec, 2)?).ok_or(ENOENT)?;
                pool.remove(text(rec, 3)?);
                Ok(())
            }
            cmd::POOL_DEL => self.pools.remove(text(rec, 2)?).map(|_| ()).ok_or(ENOENT),
            _ => Err(EINVAL),
        }
    }

    fn attach(&mut self, role: Role, rec: &LustreCfg) -> Result<(), i32> {
        let name = dev(rec)?;
        let (kind, uuid) = (text(rec, 1)?, text(rec, 2)?);
        if self.devices.contains_key(name) {
            // A running MDT meets the new section of a rewritten peer: the device stays (LU-9699).
            return if role == Role::Mdt && matches!(kind, "osp" | "osc") { Ok(()) } else { Err(EEXIST) };
        }
        let allowed: &[&str] = match role {
            Role::Client => &["lov", "lmv", "mdc", "osc"],
            Role::Mdt => &["lov", "mdt", "osp", "osc"],
            Role::Ost => &["obdfilter"],
        };
        if !allowed.contains(&kind) {
            return Err(EINVAL);
        }
        let device = Device { kind: kind.to_owned(), uuid: uuid.to_owned(), ..Device::default() };
        self.devices.insert(name.to_owned(), device);
        Ok(())
    }

    fn setup(&mut self, rec: &LustreCfg) -> Result<(), i32> {
        let name = dev(rec)?;
        let device = self.devices.get(name).ok_or(ENODEV)?;
        if device.setup.is_some() {
            return if matches!(device.kind.as_str(), "osp" | "osc") { Ok(()) } else { Err(EEXIST) };
        }
        let checked = self.check_setup(&device.kind.clone(), rec);
        match checked {
            Ok((setup, connections)) => {
                if let Some(device) = self.devices.get_mut(name) {
                    device.setup = Some(setup);
                    device.connections = connections;
                }
                Ok(())
            }
            Err(errno) => {
                self.devices.remove(name);
                Err(errno)
            }
        }
    }

    fn check_setup(&self, kind: &str, rec: &LustreCfg) -> Result<(Vec<String>, Vec<String>), i32> {
        let own =
            |from: usize| (from..rec.bufs.len()).filter_map(|i| rec.buf_str(i)).map(str::to_owned).collect();
        match kind {
            "lov" | "lmv" => {
                let desc = rec.bufs.get(1).ok_or(EINVAL)?;
                if desc.len() != DESC || (kind == "lov" && desc.get(4..8) != Some(&LOV_MAGIC[..])) {
                    return Err(EINVAL);
                }
                Ok((Vec::new(), Vec::new()))
            }
            "osc" | "mdc" | "osp" => {
                let (target, node) = (text(rec, 1)?, text(rec, 2)?);
                if !self.nodes.contains_key(node) {
                    return Err(ENOENT);
                }
                Ok((vec![target.to_owned(), node.to_owned()], vec![node.to_owned()]))
            }
            "mdt" => {
                text(rec, 3)?;
                text(rec, 2)?.parse::<u32>().map_err(|_| EINVAL)?;
                Ok((own(1), Vec::new()))
            }
            _ => {
                text(rec, 1)?;
                text(rec, 2)?;
                Ok((own(1), Vec::new()))
            }
        }
    }

    fn add_uuid(&mut self, rec: &LustreCfg) -> Result<(), i32> {
        let node = text(rec, 1)?;
        let nid = match rec.effective_nid() {
            0 => text(rec, 2)?.to_owned(),
            nid => Nid::from_u64(nid).to_string(),
        };
        if nid.parse::<Nid>().is_err() {
            return Err(EINVAL);
        }
        let nids = self.nodes.entry(node.to_owned()).or_default();
        if !nids.contains(&nid) {
            nids.push(nid);
        }
        Ok(())
    }

    fn add_conn(&mut self, rec: &LustreCfg) -> Result<(), i32> {
        let node = text(rec, 1)?;
        if !self.nodes.contains_key(node) {
            return Err(ENOENT);
        }
        let device = self.devices.get_mut(dev(rec)?).filter(|d| d.setup.is_some()).ok_or(EINVAL)?;
        if !device.connections.iter().any(|c| c == node) {
            device.connections.push(node.to_owned());
        }
        Ok(())
    }

    fn ready(&self, name: &str) -> Result<(), i32> {
        self.devices.get(name).filter(|d| d.setup.is_some()).map(|_| ()).ok_or(EINVAL)
    }

    fn add_ost(&mut self, rec: &LustreCfg, active: bool) -> Result<(), i32> {
        let lov = dev(rec)?;
        self.ready(lov)?;
        let uuid = text(rec, 1)?.to_owned();
        text(rec, 3)?.parse::<u32>().map_err(|_| EINVAL)?;
        self.osts.entry((lov.to_owned(), index(rec)?)).or_insert(Member { uuid, active });
        Ok(())
    }

    /// A client executes it twice: for its LMV, and for the LOV that is named alike.
    fn add_mdt(&mut self, role: Role, rec: &LustreCfg, active: bool) -> Result<(), i32> {
        let lmv = dev(rec)?;
        self.ready(lmv)?;
        if role == Role::Client {
            if !lmv.contains("clilmv") {
                return Err(EINVAL);
            }
            self.ready(&lmv.replace("clilmv", "clilov"))?;
        }
        let uuid = text(rec, 1)?.to_owned();
        text(rec, 3)?;
        self.mdts.entry((lmv.to_owned(), index(rec)?)).or_insert(Member { uuid, active });
        Ok(())
    }

    fn param(&mut self, rec: &LustreCfg) -> Result<(), i32> {
        let (name, value) = text(rec, 1)?.split_once('=').ok_or(EINVAL)?;
        let value = if name == "sys.jobid_var" { rec.buf_str(2).unwrap_or(value) } else { value };
        let free = ["llite.", "sys.", "quota."].iter().any(|p| name.starts_with(p));
        let device = rec.dev().unwrap_or_default();
        if !free && !self.devices.contains_key(device) {
            return Err(EINVAL);
        }
        self.params.insert((device.to_owned(), name.to_owned()), value.to_owned());
        Ok(())
    }
}

fn dev(rec: &LustreCfg) -> Result<&str, i32> {
    rec.dev().ok_or(EINVAL)
}

fn text(rec: &LustreCfg, i: usize) -> Result<&str, i32> {
    rec.buf_str(i).ok_or(EINVAL)
}

fn index(rec: &LustreCfg) -> Result<u32, i32> {
    text(rec, 2)?.parse().map_err(|_| EINVAL)
}
