//! Declared routes: which gateways lead to a network that we are not on.
use std::str::FromStr;
use wire::Nid;

/// `o2ib via 10.0.0.5@tcp,10.0.0.6@tcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// LND number of the network.
    lnd: u8,
    /// Its number.
    net: u16,
    /// Routers, in the order in which they are tried.
    gateways: Vec<Nid>,
}

/// A route that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "route {text:?}: {why}; expected NET via GATEWAY[,GATEWAY], such as `o2ib via 10.0.0.5@tcp,10.0.0.6@tcp`"
)]
pub struct RouteError {
    text: String,
    why: String,
}

impl Route {
    /// The NID is on that network.
    pub(crate) fn leads_to(&self, nid: Nid) -> bool {
        (self.lnd, self.net) == (nid.lnd, nid.net)
    }
    pub(crate) fn gateways(&self) -> &[Nid] {
        &self.gateways
    }
}

impl FromStr for Route {
    type Err = RouteError;
    fn from_str(text: &str) -> Result<Self, RouteError> {
        let bad = |why: &str| RouteError { text: text.chars().take(200).collect(), why: why.to_owned() };
        let (net, gateways) = text.split_once(" via ").ok_or_else(|| bad("`via` is missing"))?;
        let net = net.trim();
        // Networks have no text form of their own here: borrow that of a NID, with an address of either kind.
        let on_it = format!("0.0.0.1@{net}").parse::<Nid>().or_else(|_| format!("1@{net}").parse());
        let on_it = on_it.map_err(|e| bad(&e.to_string()))?;
        let gateways = gateways.split(',').map(|g| g.trim().parse::<Nid>());
        let gateways = gateways.collect::<Result<Vec<_>, _>>().map_err(|e| bad(&e.to_string()))?;
        if gateways.iter().any(|g| g.lnd != wire::nid::lnd::TCP) {
            return Err(bad("gateways are reached over tcp"));
        }
        Ok(Self { lnd: on_it.lnd, net: on_it.net, gateways })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn as_it_is_written() {
        let route: Route = "o2ib1 via 10.0.0.5@tcp, 10.0.0.6@tcp".parse().unwrap();
        assert_eq!(route.gateways(), ["10.0.0.5@tcp".parse().unwrap(), "10.0.0.6@tcp".parse().unwrap()]);
        assert!(route.leads_to("1.2.3.4@o2ib1".parse().unwrap()));
        assert!(!route.leads_to("1.2.3.4@o2ib".parse().unwrap()));
        assert!(!route.leads_to("1.2.3.4@tcp1".parse().unwrap()));
        let gni: Route = "gni via 10.0.0.5@tcp".parse().unwrap();
        assert!(gni.leads_to("77@gni".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("o2ib 10.0.0.5@tcp", "via"),
            ("elan via 10.0.0.5@tcp", "network"),
            ("o2ib via 10.0.0.5@o2ib", "tcp"),
            ("o2ib via ", "NID"),
        ] {
            let error = text.parse::<Route>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
