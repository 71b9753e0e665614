//! Every way of saying no is a problem document.

use super::*;

#[tokio::test]
async fn unknown_names_list_the_known_ones() {
    let daemon = Daemon::start(Fake::default()).await;
    let api = daemon.client().await;
    let fs = r#"fs "tesfs": no fs of this name; known: scratch, testfs"#;
    let log = r#"log "tesfs": no log of this name; known: params, testfs-client"#;
    let target =
        r#"target "tesfs": no target of this name; known: scratch-MDT0000, testfs-MDT0000, testfs-OST000a"#;
    for (problem, line) in [
        (refused(api.fs("tesfs").await), fs),
        (refused(api.targets(Some("tesfs")).await), fs),
        (refused(api.logs(Some("tesfs")).await), fs),
        (refused(api.target("tesfs").await), target),
        (refused(api.log_file("tesfs").await), log),
        (refused(api.log_records("tesfs", None, None).await), log),
    ] {
        assert_eq!((problem.kind, problem.status), (ProblemKind::UnknownName, 404));
        assert_eq!(problem.to_string(), line);
    }
}

#[tokio::test]
async fn odd_names_arrive_as_they_are() {
    let daemon = Daemon::start(Fake::default()).await;
    let api = daemon.client().await;
    for name in ["a/b", "..", "a b", "%2e", "ü", "a?fs=b#c", "x&y=z", "+"] {
        assert_eq!(refused(api.fs(name).await).object, format!("fs {name:?}"));
        assert_eq!(refused(api.targets(Some(name)).await).object, format!("fs {name:?}"));
    }
}

#[tokio::test]
async fn what_is_not_in_the_api_is_a_problem_too() {
    let daemon = Daemon::start(Fake::default()).await;
    for (line, status, kind) in [
        ("GET /", "HTTP/1.1 404 Not Found", ProblemKind::UnknownRoute),
        ("GET /v1/nosuch", "HTTP/1.1 404 Not Found", ProblemKind::UnknownRoute),
        ("GET /v1/fs/", "HTTP/1.1 404 Not Found", ProblemKind::UnknownRoute),
        ("PATCH /v1/fs/testfs", "HTTP/1.1 405 Method Not Allowed", ProblemKind::Method),
        ("GET /v1/targets?filesystem=testfs", "HTTP/1.1 400 Bad Request", ProblemKind::Malformed),
        ("GET /v1/logs/params/records?start=x", "HTTP/1.1 400 Bad Request", ProblemKind::Malformed),
        ("GET /v1/logs/params/records?start=-1", "HTTP/1.1 400 Bad Request", ProblemKind::Malformed),
        ("GET /v1/logs/params/records?end=4294967296", "HTTP/1.1 400 Bad Request", ProblemKind::Malformed),
        ("GET /v1/logs/params/records?start=3&end=2", "HTTP/1.1 400 Bad Request", ProblemKind::Malformed),
        ("GET /v1/fs/%ff", "HTTP/1.1 400 Bad Request", ProblemKind::Malformed),
    ] {
        let (answered, problem) = daemon.problem(line).await;
        assert_eq!((answered.as_str(), problem.kind), (status, kind), "{line}: {problem:?}");
        assert!(problem.hint.is_some() || problem.allowed.is_some(), "{line}: {problem:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_and_a_damaged_log_say_so() {
    let daemon = Daemon::start(Fake::default()).await;
    let api = daemon.client().await;
    let unready = refused(api.log_file("unready").await);
    assert_eq!((unready.kind, unready.status), (ProblemKind::NotNow, 503));
    let damaged = refused(api.log_records("damaged", None, None).await);
    assert_eq!((damaged.kind, damaged.status), (ProblemKind::Storage, 500));
    assert!(damaged.detail.contains("9 bytes"), "{damaged}");
}

#[tokio::test]
async fn bytes_that_are_no_request_harm_nobody() {
    let daemon = Daemon::start(Fake::default()).await;
    let long_head = [b"GET /v1/fs HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    for bytes in [b"".as_slice(), b"\0\0\0\0", b"GET", b"\xff\xfe HTTP/9.9\r\n\r\n", &long_head] {
        let mut stream = UnixStream::connect(daemon.path()).await.unwrap();
        // The daemon may hang up in the middle; that is its right.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(daemon.client().await.status().await.is_ok());
    }
}

/// Virtual time: the handler never answers, the guard does.
#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_becomes_a_problem() {
    let gate = Arc::new(Gate::default());
    let router = router(Arc::new(Fake { gate: Some(gate) }));
    let request = axum::http::Request::get("/v1/status").body(axum::body::Body::empty()).unwrap();
    let service = hyper_util::service::TowerToHyperService::new(router);
    let response = hyper::service::Service::call(&service, request).await.unwrap();
    assert_eq!(response.status(), 504);
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(serde_json::from_slice::<Problem>(&body).unwrap().kind, ProblemKind::Timeout);
}
