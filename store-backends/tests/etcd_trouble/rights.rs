//! Certificates, passwords, roles.

use std::path::{Path, PathBuf};
use std::process::Command;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, Permission, TlsOptions};
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::etcd::{EtcdConfig, EtcdStore};
use store_backends::{CommitOutcome, Store, StoreError};

use super::{commit, put, request, run};

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split(' ')).current_dir(dir).output();
    let output = output.expect("openssl (apt install openssl)");
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate that it has signed for this address, for both sides.
fn certificates(dir: &Path, name: &str) -> [PathBuf; 3] {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let ca =
        format!("req -x509 {curve} -days 2 -subj /CN={name}-ca -keyout {name}-ca.key -out {name}-ca.pem");
    openssl(dir, &ca);
    openssl(dir, &format!("req {curve} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
    std::fs::write(dir.join("ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let sign = format!(
        "x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
    );
    openssl(dir, &sign);
    [dir.join(format!("{name}-ca.pem")), dir.join(format!("{name}.pem")), dir.join(format!("{name}.key"))]
}

fn with(url: &str, options: &str) -> EtcdConfig {
    EtcdConfig::parse(&format!("{url}?timeout=3s{options}")).unwrap()
}

#[test]
fn tls_and_roles() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let [ca, cert, key] = certificates(dir.path(), "good");
        let [other_ca, other_cert, other_key] = certificates(dir.path(), "other");
        let tls = Some([ca.clone(), cert.clone(), key.clone()]);
        let cluster = Cluster::start(3, &Settings { tls, ..Settings::default() });
        let url = cluster.url("site1");
        let files = |ca: &Path, cert: &Path, key: &Path| {
            format!("&ca={}&cert={}&key={}", ca.display(), cert.display(), key.display())
        };
        let ours = files(&ca, &cert, &key);
        let store = cluster.open(&format!("{url}?timeout=3s{ours}")).await;
        assert_eq!(commit(&store, vec![put("fs/a", "1")]).await.0, 1);
        let without_cert = format!("&ca={}", ca.display());
        let other = files(&other_ca, &cert, &key);
        let stranger = files(&ca, &other_cert, &other_key);
        for wrong in [without_cert.as_str(), &other, &stranger, ""] {
            let refused = EtcdStore::open(&with(&url, wrong)).await.map(drop).unwrap_err();
            assert!(
                matches!(refused, StoreError::Unavailable { .. } | StoreError::Denied { .. }),
                "{refused}"
            );
        }
        let missing = EtcdStore::unconnected(&with(&url, "&ca=/nowhere/ca.pem")).map(drop).unwrap_err();
        assert!(matches!(missing, StoreError::Io { .. }), "{missing}");

        let identity = Identity::from_pem(std::fs::read(&cert).unwrap(), std::fs::read(&key).unwrap());
        let authority = Certificate::from_pem(std::fs::read(&ca).unwrap());
        let options =
            ConnectOptions::new().with_tls(TlsOptions::new().ca_certificate(authority).identity(identity));
        let endpoint = format!("https://127.0.0.1:{}", cluster.port(0));
        let mut root = Client::connect([endpoint.as_str()], Some(options.clone())).await.unwrap();
        root.user_add("root", "toor", None).await.unwrap();
        root.user_grant_role("root", "root").await.unwrap();
        root.user_add("mgsd", "secret", None).await.unwrap();
        root.auth_enable().await.unwrap();
        let mut root = Client::connect([endpoint], Some(options.with_user("root", "toor"))).await.unwrap();

        let password = dir.path().join("password");
        std::fs::write(&password, "wrong\n").unwrap();
        let ours = format!("{ours}&user=mgsd&password-file={}", password.display());
        let denied = async || match EtcdStore::open(&with(&url, &ours)).await.map(drop) {
            Err(StoreError::Denied { detail, .. }) => detail,
            other => panic!("{other:?}"),
        };
        assert!(denied().await.contains("authentication failed"), "{}", denied().await);
        std::fs::write(&password, "secret\n").unwrap();
        let config = with(&url, &ours);
        let detail = denied().await;
        assert!(detail.contains(&config.needed_role().replace('\n', "; ")), "{detail}");

        // what the message says, done through the API
        root.role_add("mgsd").await.unwrap();
        root.user_grant_role("mgsd", "mgsd").await.unwrap();
        let read_only = Permission::read("/mgsd/site1/").with_prefix();
        root.role_grant_permission("mgsd", read_only).await.unwrap();
        assert!(denied().await.contains("permission denied"), "reading alone is not enough");
        let needed = Permission::read_write("/mgsd/site1/").with_prefix();
        root.role_grant_permission("mgsd", needed).await.unwrap();
        let store = EtcdStore::open(&config).await.unwrap();
        assert_eq!(commit(&store, vec![put("fs/a", "2")]).await.0, 2);
        assert_eq!(store.range("").await.unwrap().seq, 2);
        assert!(store.space().await.unwrap().used_bytes > 0);

        // rights of others change under us: our token is of the time before
        for i in 0..3 {
            root.role_add(format!("role{i}")).await.unwrap();
            assert_eq!(commit(&store, vec![]).await.0, 3 + i);
        }
        root.role_revoke_permission(
            "mgsd",
            "/mgsd/site1/",
            Some(etcd_client::RoleRevokePermissionOptions::new().with_range_end("/mgsd/site10")),
        )
        .await
        .unwrap();
        let outcome = store.commit(request(5, vec![])).await;
        assert!(
            matches!(&outcome, CommitOutcome::Unknown(e @ StoreError::Denied { .. }) if e.is_refusal()),
            "{outcome:?}"
        );
    });
}
