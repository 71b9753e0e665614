//! The socket file: who may have its name, its mode, and its end.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use super::*;
use crate::http::{BindError, serve_unix};

#[tokio::test]
async fn the_socket_is_for_owner_and_group_and_nothing_else_is_left() {
    let daemon = Daemon::start(Fake::default()).await;
    let meta = std::fs::metadata(daemon.path()).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o7777, 0o660);
    assert_eq!(std::fs::read_dir(daemon.dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_live_daemon_keeps_its_socket() {
    let daemon = Daemon::start(Fake::default()).await;
    let error = UnixApi::bind(&daemon.path()).await.unwrap_err();
    assert!(matches!(error, BindError::Busy { .. }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    assert!(daemon.client().await.status().await.is_ok());
}

#[tokio::test]
async fn the_socket_of_a_dead_daemon_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(std::fs::metadata(&path).unwrap().file_type().is_socket(), "a dead listener leaves its file");

    let api = UnixApi::bind(&path).await.unwrap();
    let served = tokio::spawn(api.serve(router(Arc::new(Fake::default())), std::future::pending()));
    assert!(Client::connect(&format!("unix:{}", path.display())).await.unwrap().status().await.is_ok());
    served.abort();
}

#[tokio::test]
async fn what_is_not_a_socket_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    std::fs::write(&path, "precious").unwrap();
    let error = UnixApi::bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");

    let missing = dir.path().join("nosuch/api.sock");
    let error =
        serve_unix(&missing, router(Arc::new(Fake::default())), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("No such file or directory"), "{error}");
}

#[tokio::test]
async fn the_socket_goes_with_its_daemon_and_only_with_its_own() {
    let daemon = Daemon::start(Fake::default()).await;
    let (path, other) = (daemon.path(), daemon.dir.path().join("other"));
    // Another daemon took the name.
    let _listener = std::os::unix::net::UnixListener::bind(&other).unwrap();
    std::fs::rename(&other, &path).unwrap();
    daemon.stop.send(()).unwrap();
    daemon.served.await.unwrap();
    assert!(path.exists());

    let daemon = Daemon::start(Fake::default()).await;
    let path = daemon.path();
    daemon.stop.send(()).unwrap();
    daemon.served.await.unwrap();
    assert!(daemon.dir.path().exists() && !path.exists());
}

#[tokio::test]
async fn a_request_under_way_is_answered_at_shutdown() {
    let gate = Arc::new(Gate::default());
    let daemon = Daemon::start(Fake { gate: Some(Arc::clone(&gate)) }).await;
    let api = daemon.client().await;
    let asked = tokio::spawn(async move { api.status().await });
    gate.entered.notified().await;
    let path = daemon.path();
    daemon.stop.send(()).unwrap();
    // The name goes first: from here on the daemon takes no new request.
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert!(!daemon.served.is_finished() && !asked.is_finished());
    gate.leave.notify_one();
    daemon.served.await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), fake::status());
    let error = Client::connect(&format!("unix:{}", path.display())).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}
