//! The OpenAPI document: fresh, and about routes that exist.

use super::*;
use crate::http::document;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/openapi.json");

/// `MGSD_BLESS=1 cargo test -p mgsd openapi` writes the file.
#[test]
fn openapi_json_is_fresh() {
    let fresh = format!("{}\n", document().to_pretty_json().unwrap());
    if std::env::var_os("MGSD_BLESS").is_some() {
        std::fs::write(FILE, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    assert!(
        kept == fresh,
        "api/openapi.json is stale: run MGSD_BLESS=1 cargo test -p mgsd openapi_json_is_fresh"
    );
}

#[tokio::test]
async fn every_described_path_is_served_and_the_document_itself_too() {
    let daemon = Daemon::start(Fake::default()).await;
    let document = document();
    assert!(document.paths.paths.contains_key("/v1/status"));
    for (path, item) in &document.paths.paths {
        let method = match (&item.get, &item.put, &item.post, &item.delete) {
            (Some(_), ..) => "GET",
            (_, Some(_), ..) => "PUT",
            (_, _, Some(_), _) => "POST",
            (.., Some(_)) => "DELETE",
            _ => panic!("{path} is described without a method"),
        };
        let path = ["{name}", "{nid}", "{subject}"]
            .iter()
            .fold(path.clone(), |p, arg| p.replace(arg, "testfs-client"));
        let answer = daemon.raw(format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        // fs and targets do not know this name, changes miss their document; those are answers of theirs.
        assert!(!answer.contains(r#""type":"urn:mgsd:unknown-route""#), "{answer}");
        assert!(!answer.contains(r#""type":"urn:mgsd:method""#), "{answer}");
    }
    let answer = daemon.raw(b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let served: utoipa::openapi::OpenApi = serde_json::from_str(body).unwrap();
    assert!(served.paths.paths.keys().eq(document.paths.paths.keys()));
}
