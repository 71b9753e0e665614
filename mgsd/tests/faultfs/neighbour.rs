//! Of two MGS in one process one has its store on the failing disk: the other one does not notice.

use crate::daemon::{command, free_port, serve};
use crate::disk::{Disk, Fault};
use crate::site::{FS, mount};
use lustre_peer::host::{HostConfig, PeerError, PeerHost};
use lustre_peer::node::{TargetKind, TargetOptions};
use std::net::Ipv4Addr;
use std::time::Duration;
use wire::Nid;

const ILL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const WELL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

async fn node(last: u8, mgs: Ipv4Addr, port: u16) -> PeerHost {
    let nid = Nid::tcp(Ipv4Addr::new(10, 9, 2, last).into(), 0);
    let mut config = HostConfig::new(nid, vec![Nid::tcp(mgs.into(), 0)]).with_mgs_addr((mgs, port).into());
    config.speed = 50;
    PeerHost::start(config).await.unwrap()
}

fn target(kind: TargetKind, index: u32) -> TargetOptions {
    TargetOptions::new(FS, kind, index)
}

async fn osts(client: &PeerHost) -> usize {
    let tree = client.mount_client(FS).await.unwrap();
    client.umount(&format!("{FS}-client")).await.unwrap();
    tree.osts.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_one_mgs_is_not_that_of_the_other() {
    let (disk, dir, port) = (Disk::new(), tempfile::tempdir().unwrap(), free_port());
    let config = format!(
        "[[mgs]]\nname = \"ill\"\nnid = [\"{ILL}@tcp\"]\nstore = \"sqlite:{}\"\n\
         [[mgs]]\nname = \"well\"\nnid = [\"{WELL}@tcp\"]\n",
        disk.data().display()
    );
    let file = dir.path().join("mgsd.toml");
    std::fs::write(&file, config).unwrap();
    let mut program = command(dir.path());
    disk.under(&mut program);
    let program = program.arg("--config").arg(&file).args(["--port", &port.to_string()]);
    let (mut child, _) = serve(program).await;

    let (ill, well) = (node(1, ILL, port).await, node(2, WELL, port).await);
    let (client_ill, client_well) = (node(11, ILL, port).await, node(12, WELL, port).await);
    for servers in [&ill, &well] {
        assert!(mount(servers, target(TargetKind::Mdt, 0)).await.is_empty());
        assert!(mount(servers, target(TargetKind::Ost, 0)).await.is_empty());
    }
    for (fault, errno) in [(Fault::Full, -28), (Fault::ReadOnly, -30), (Fault::SyncEio, -5)] {
        disk.fail(fault, 1);
        let there = osts(&client_well).await;
        let next = u32::try_from(there).unwrap();
        match ill.mount_target(target(TargetKind::Ost, next)).await {
            Err(PeerError::Mount { errno: said, .. }) => assert_eq!(said, errno, "{fault:?}"),
            other => panic!("{other:?}"),
        }
        assert!(mount(&well, target(TargetKind::Ost, next)).await.is_empty(), "{fault:?}");
        assert_eq!(osts(&client_well).await, there + 1);
        assert_eq!(osts(&client_ill).await, there, "what was there is served on");
        assert!(disk.made() > 0);
        disk.heal();
        // The fate of what was under way is asked four times a second; nobody has to do anything.
        let again = async { while ill.mount_target(target(TargetKind::Ost, next)).await.is_err() {} };
        tokio::time::timeout(Duration::from_secs(60), again).await.expect("it does not go on");
        assert_eq!(osts(&client_ill).await, there + 1);
    }
    child.kill().await.unwrap();
}
