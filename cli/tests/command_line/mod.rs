//! The built binary, as a person or a script meets it, on the driver that `DRIVER` names.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in its helpers too"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

fn quic(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quic"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SSLKEYLOGFILE");
    command.env("QUIC_DRIVER", crate::DRIVER);
    command
}

fn run(arguments: &[&str]) -> Output {
    quic(arguments).output().unwrap()
}

/// Checks that a command failed with `code`, and said why in one line that contains `reason`.
#[track_caller]
fn check_failure(output: &Output, code: i32, reason: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    let lines = errors.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
    assert_eq!((lines.len(), errors.lines().count()), (1, 1), "{errors}");
    assert!(lines[0].contains(reason), "{errors}");
}

fn json_of(output: &Output) -> Value {
    let line = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}, {errors}"))
}

/// A `quic serve` of a folder of its own; stopped when dropped.
struct Server {
    folder: TempDir,
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        Self::start_with(&["--json"])
    }

    /// Without `--json`, it logs on its stderr.
    fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut process = quic(&["serve", "--listen", "127.0.0.1:0", "--save-cert"])
            .arg(folder.path().join("ca.pem"))
            .arg(&root)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(if options.contains(&"--json") { Stdio::null() } else { Stdio::piped() })
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = match serde_json::from_str::<Value>(&line) {
            Ok(started) => started["listening"].as_str().unwrap().to_owned(),
            Err(_) => line.split_whitespace().last().unwrap().to_owned(),
        };
        Self { folder, process, address }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, data: &[u8]) {
        fs::write(self.folder.path().join(name), data).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn get(&self, path: &str, output: &str) -> Command {
        quic(&["get", "--json", "--ca", &self.path("ca.pem"), &self.url(path), "-o", output])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Bytes without a pattern that repeats soon.
fn data(length: u32) -> Vec<u8> {
    (0..length).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

#[test]
fn the_demo_moves_every_byte() {
    let output = run(&["demo", "--bytes", "1M", "--json"]);
    let report = json_of(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!(report["checksum_ok"], true, "{report}");
    assert_eq!(report["bytes"], 1 << 20, "{report}");
    for figure in ["goodput_bits_per_second", "handshake_ms", "rtt_ms"] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{figure}: {report}");
    }
}

#[test]
fn the_demo_survives_loss() {
    let output = run(&["demo", "--bytes", "3M", "--loss", "3%", "--seed", "7", "--json"]);
    let report = json_of(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!(report["checksum_ok"], true, "{report}");
    assert!(report["relay"]["dropped"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn files_arrive_as_they_were_served() {
    for protocol in [&[][..], &["--protocol", "h3"], &["--protocol", "hq-interop"]] {
        check_files(protocol);
    }
}

fn check_files(options: &[&str]) {
    let server = Server::start();
    let (large, small) = (data(3_000_000), data(10));
    server.write("root/large", &large);
    server.write("root/small", &small);
    server.write("root/empty", b"");
    fs::create_dir(server.path("out")).unwrap();
    let output = quic(&["get", "--json", "--ca", &server.path("ca.pem"), "-o"])
        .arg(server.path("out"))
        .args([server.url("/large"), server.url("/small"), server.url("/empty")])
        .args(options)
        .output()
        .unwrap();
    let report = json_of(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!(report["bytes"], 3_000_010, "{report}");
    assert_eq!(fs::read(server.path("out/large")).unwrap(), large);
    assert_eq!(fs::read(server.path("out/small")).unwrap(), small);
    assert_eq!(fs::read(server.path("out/empty")).unwrap(), b"");
    assert_eq!(fs::read_dir(server.path("out")).unwrap().count(), 3);
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_in_shards_serves_whoever_comes() {
    let server = Server::start_with(&["--json", "--shards", "3"]);
    server.write("root/file", &data(100_000));
    let address = server.address.parse::<std::net::SocketAddr>().unwrap();
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    let port = format!(":{:04X} ", address.port());
    assert_eq!(table.lines().filter(|line| line.contains(&port)).count(), 3, "{table}");
    // Whatever port a client has, one of the sockets gets its datagrams.
    for number in 0..12 {
        let path = server.path(&format!("copy{number}"));
        let output = server.get("/file", &path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read(path).unwrap(), data(100_000));
    }
}

/// What a server logs while a client fetches three files and offers early data.
fn log_with_early_data(options: &[&str], protocol: &str) -> Vec<String> {
    let mut server = Server::start_with(options);
    for name in ["first", "second", "third"] {
        server.write(&format!("root/{name}"), name.as_bytes());
    }
    fs::create_dir(server.path("out")).unwrap();
    let output = quic(&["get", "--json", "--early-data", "--protocol", protocol])
        .args(["--ca", &server.path("ca.pem"), "-o"])
        .arg(server.path("out"))
        .args([server.url("/first"), server.url("/second"), server.url("/third")])
        .output()
        .unwrap();
    assert_eq!(json_of(&output)["files"], 3);
    for name in ["first", "second", "third"] {
        assert_eq!(fs::read(server.path(&format!("out/{name}"))).unwrap(), name.as_bytes());
    }
    let log = BufReader::new(server.process.stderr.take().unwrap());
    let requests = log.lines().map(Result::unwrap).filter(|line| line.contains("GET "));
    requests.take(3).collect()
}

#[test]
fn early_data_is_taken_from_who_resumes_a_session_where_that_is_asked_for() {
    let early = |log: &[String]| -> Vec<bool> {
        log.iter().map(|line| line.ends_with(", by 0-RTT")).collect()
    };
    for protocol in ["h3", "hq-interop"] {
        let taken = log_with_early_data(&["--early-data"], protocol);
        assert_eq!(early(&taken), [false, true, true], "{protocol}");
        let not_taken = log_with_early_data(&[], protocol);
        assert_eq!(early(&not_taken), [false, false, false], "{protocol}: nothing is lost");
    }
}

#[test]
fn nothing_outside_of_the_folder_is_served() {
    let server = Server::start();
    server.write("secret", b"outside");
    std::os::unix::fs::symlink("../secret", server.path("root/link")).unwrap();
    for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/link"] {
        let output = server.get(path, &server.path("stolen")).output().unwrap();
        check_failure(&output, 1, "leads out of what the server serves");
        assert!(!Path::new(&server.path("stolen")).exists(), "{path}");
    }
    for protocol in ["h3", "hq-interop"] {
        let mut get = server.get("/missing", &server.path("stolen"));
        let output = get.args(["--protocol", protocol]).output().unwrap();
        check_failure(&output, 1, "no such file");
        assert_eq!(json_of(&output)["exit"], 1);
    }
}

#[test]
fn a_directory_is_listed_and_its_name_alone_leads_there() {
    let server = Server::start();
    fs::create_dir(server.path("root/sub")).unwrap();
    server.write("root/sub/a file.txt", b"data");
    let output = server.get("/sub/", &server.path("listing")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let listing = fs::read_to_string(server.path("listing")).unwrap();
    assert!(listing.contains("./a%20file.txt"), "{listing}");
    let output = server.get("/sub", &server.path("moved")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(server.path("moved")).unwrap(), listing);
}

#[test]
fn a_server_that_is_stopped_finishes_what_goes_on_and_begins_nothing() {
    for protocol in ["h3", "hq-interop"] {
        let mut server = Server::start();
        let large = data(20_000_000);
        server.write("root/large", &large);
        let ca = server.path("ca.pem");
        let mut get = quic(&["get", "--ca", &ca, &server.url("/large"), "-o", "-"])
            .args(["--protocol", protocol])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The pipe is full soon, and the windows are.
        let mut received = vec![0];
        let mut pipe = get.stdout.take().unwrap();
        pipe.read_exact(&mut received).unwrap();
        signal(&server.process, "-TERM");
        while server.get("/small", &server.path("small")).output().unwrap().status.code() != Some(3)
        {
            thread::yield_now();
        }
        pipe.read_to_end(&mut received).unwrap();
        assert!(received == large, "{} bytes over {protocol}", received.len());
        assert!(get.wait().unwrap().success());
        assert!(server.process.wait().unwrap().success());
    }
}

#[test]
fn the_server_logs_what_it_was_asked_for() {
    let mut server = Server::start_with(&[]);
    server.write("root/file", b"data");
    assert!(server.get("/file?query", &server.path("file")).output().unwrap().status.success());
    assert!(!server.get("/missing", &server.path("file")).output().unwrap().status.success());
    let log = BufReader::new(server.process.stderr.take().unwrap());
    let lines = log.lines().map(Result::unwrap).filter(|line| line.contains("GET ")).take(2);
    let ends = lines.map(|line| line.split_once("GET ").unwrap().1.to_owned()).collect::<Vec<_>>();
    assert_eq!(ends, ["/file 200 OK, 4 bytes", "/missing 404 Not Found, 28 bytes"]);
}

#[test]
fn a_full_disk_is_reported_and_leaves_nothing_behind() {
    let server = Server::start();
    server.write("root/large", &data(3_000_000));
    let output = server.get("/large", "/dev/full").output().unwrap();
    check_failure(&output, 4, "No space left");

    let limited = r#"trap '' XFSZ; ulimit -f 64; exec "$@""#;
    let get = server.get("/large", &server.path("large"));
    let output = Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(get.get_program())
        .args(get.get_args())
        .output()
        .unwrap();
    check_failure(&output, 4, "cannot write");
    assert!(!Path::new(&server.path("large")).exists());
    assert!(!Path::new(&server.path("large.part")).exists());
}

#[test]
fn a_server_that_is_not_trusted_is_not_talked_to() {
    let (server, other) = (Server::start(), Server::start());
    server.write("root/file", b"data");
    let get = |trust: &[&str]| {
        quic(&["get", &server.url("/file"), "-o", &server.path("file")])
            .args(trust)
            .output()
            .unwrap()
    };
    check_failure(&get(&["--ca", &other.path("ca.pem")]), 3, "is not trusted");
    let output = get(&["--insecure"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(server.path("file")).unwrap(), b"data");
}

#[test]
fn a_server_of_another_protocol_is_named_as_such() {
    let server = Server::start();
    let ca = server.path("ca.pem");
    let address = &server.address;
    let output = run(&["perf", "client", "--addr", address, "--cert", &ca, "--workload", "rr"]);
    check_failure(&output, 3, "does not speak perf");
}

#[test]
fn nobody_there_is_reported_in_time() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/file", silent.local_addr().unwrap());
    let output = run(&["get", "--insecure", "--connect-timeout", "1", &url, "-o", "/dev/null"]);
    check_failure(&output, 3, "no answer from");
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = Server::start();
    server.write("root/small", b"data");
    let get = endless_download(&server, &["--timeout", "1"]);
    signal(&server.process, "-STOP");
    let output = get.wait_with_output().unwrap();
    check_failure(&output, 1, "timed out");
    assert!(!Path::new(&server.path("endless.part")).exists());
    assert!(!Path::new(&server.path("endless")).exists());
    signal(&server.process, "-CONT");
    let output = server.get("/small", &server.path("small")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Sends a signal to a child.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A download that has begun, of more than fits into the windows of a connection, so that the end
/// cannot have arrived.
fn endless_download(server: &Server, options: &[&str]) -> Child {
    fs::File::create(server.path("root/endless")).unwrap().set_len(1 << 40).unwrap();
    let mut get = server
        .get("/endless", &server.path("endless"))
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let part = server.path("endless.part");
    while fs::metadata(&part).map_or(0, |part| part.len()) == 0 {
        assert!(get.try_wait().unwrap().is_none(), "the transfer ended");
        thread::yield_now();
    }
    get
}

#[test]
fn a_client_that_was_stopped_for_too_long_says_so_and_the_server_goes_on() {
    let server = Server::start();
    server.write("root/small", b"data");
    let get = endless_download(&server, &["--timeout", "1"]);
    signal(&get, "-STOP");
    thread::sleep(Duration::from_millis(1500));
    signal(&get, "-CONT");
    check_failure(&get.wait_with_output().unwrap(), 1, "timed out");
    assert!(!Path::new(&server.path("endless.part")).exists());
    let output = server.get("/small", &server.path("small")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_interrupted_client_leaves_nothing_behind_and_tells_the_server() {
    let mut server = Server::start_with(&[]);
    let get = endless_download(&server, &[]);
    signal(&get, "-INT");
    check_failure(&get.wait_with_output().unwrap(), 1, "interrupted");
    assert!(!Path::new(&server.path("endless.part")).exists());
    let log = BufReader::new(server.process.stderr.take().unwrap());
    let line = log.lines().map(Result::unwrap).find(|line| line.contains("/endless")).unwrap();
    assert!(line.contains("broke off") && !line.contains("timed out"), "{line}");
}

#[test]
fn an_output_of_a_dash_is_stdout() {
    let server = Server::start();
    server.write("root/file", b"data");
    let ca = server.path("ca.pem");
    let get = ["get", "--ca", &ca, &server.url("/file"), "-o", "-"];
    let output = run(&get);
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"data"[..], Some(0)));
    let mut both = get.to_vec();
    both.push("--json");
    let output = run(&both);
    check_failure(&output, 2, "cannot both go to stdout");
}

#[test]
fn a_pipe_that_nobody_reads_can_be_given_up() {
    let mut server = Server::start_with(&[]);
    server.write("root/file", b"data");
    let pipe = server.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let get =
        server.get("/file", &pipe).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Once the server has answered, the client is ready for signals.
    let log = BufReader::new(server.process.stderr.take().unwrap());
    assert!(log.lines().any(|line| line.unwrap().contains("/file")));
    signal(&get, "-INT");
    check_failure(&get.wait_with_output().unwrap(), 1, "interrupted");
}

#[test]
fn files_of_the_same_name_do_not_overwrite_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let output = quic(&["get", "--insecure", "https://localhost:1/a/x", "https://localhost:1/b/x"])
        .arg("-o")
        .arg(folder.path())
        .output()
        .unwrap();
    check_failure(&output, 2, "would overwrite");
}

#[test]
fn json_has_a_line_for_whatever_happens() {
    let output = run(&["demo", "--bytes", "much", "--json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let report = json_of(&output);
    assert_eq!((&report["ok"], &report["exit"]), (&Value::Bool(false), &Value::from(2)));
    assert!(report["error"].as_str().unwrap().contains("much"), "{report}");

    let server = Server::start();
    server.write("key.pem", b"");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    server.write("cert.pem", made.cert.pem().as_bytes());
    server.write("key.pem", made.signing_key.serialize_pem().as_bytes());
    let (cert, key) = (server.path("cert.pem"), server.path("key.pem"));
    let listen = ["perf", "server", "--json", "--listen", "127.0.0.1:0"];
    let mut perf = quic(&listen)
        .args(["--cert", &cert, "--key", &key])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(perf.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    assert!(started["listening"].is_string(), "{started}");
    signal(&perf, "-INT");
    assert!(perf.wait().unwrap().success());
}

#[test]
fn a_port_in_use_is_reported() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_failure(&run(&["serve", "--listen", &address]), 4, "choose another port");
}

#[test]
fn files_that_cannot_be_used_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("empty.pem"), b"").unwrap();
    let serve = |certificate: &str| run(&["serve", "--cert", certificate, "--key", certificate]);
    check_failure(&serve(&path("missing.pem")), 4, "cannot read the certificate");
    check_failure(&serve(&path("empty.pem")), 4, "no certificate in");
    check_failure(&run(&["serve", &path("nowhere")]), 4, "cannot serve");
    let url = "https://localhost:1/x";
    check_failure(&run(&["get", "--ca", &path("missing.pem"), url]), 4, "check the path");
}

#[test]
fn a_name_without_an_address_is_reported() {
    let output = run(&["get", "--insecure", "https://nowhere.invalid/x"]);
    check_failure(&output, 3, "cannot find nowhere.invalid");
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    for wrong in [
        &["demo", "--bytes", "much"][..],
        &["demo", "--loss", "200%"],
        &["get", "https://localhost/x"],
        &["get", "--insecure", "http://localhost/x"],
        &["get", "--insecure", "https://localhost/"],
        &["frobnicate"],
        &[],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
    }
}

#[test]
fn an_unknown_test_case_exits_with_127() {
    for end in ["interop-server", "interop-client"] {
        let output = quic(&[end]).env("TESTCASE", "telepathy").output().unwrap();
        check_failure(&output, 127, "telepathy");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_driver_that_was_asked_for_runs_the_sockets() {
    let server = Server::start();
    let runs_smol = || {
        let threads = fs::read_dir(format!("/proc/{}/task", server.process.id())).unwrap();
        let names = threads.map(|thread| fs::read_to_string(thread?.path().join("comm")));
        // Threads come and go meanwhile.
        names.filter_map(Result::ok).any(|name| name.trim() == "async-io")
    };
    let should_run_smol = crate::DRIVER == "smol";
    // A thread has its name a little after it was started.
    let end = Instant::now() + Duration::from_secs(30);
    while runs_smol() != should_run_smol && Instant::now() < end {
        thread::yield_now();
    }
    assert_eq!(runs_smol(), should_run_smol);

    let output = run(&["--driver", "none", "serve"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_happens_is_logged_and_drawn_for_both_ends() {
    let server_logs = tempfile::tempdir().unwrap();
    let folder = server_logs.path().display().to_string();
    let server = Server::start_with(&["--json", "--qlog", &folder]);
    server.write("root/file", &data(500_000));
    let (logs, picture) = (server.path("logs"), server.path("get.svg"));
    let mut get = server.get("/file", &server.path("file"));
    get.args(["--protocol", "hq-interop", "--qlog", &logs, "--plot", &picture]);
    let output = get.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drawn = fs::read_to_string(&picture).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.contains("as the client saw it"), "{drawn}");
    assert!(drawn.contains("488.28 KiB received"), "{drawn}");

    let log = fs::read_dir(&logs).unwrap().next().unwrap().unwrap().path();
    assert!(log.display().to_string().ends_with("_client.sqlog"), "{}", log.display());
    let output = run(&["plot", &log.display().to_string(), "-o", &server.path("plot.svg")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drawn = fs::read_to_string(server.path("plot.svg")).unwrap();
    assert!(drawn.contains("488.28 KiB received"), "{drawn}");

    let id = log.file_stem().unwrap().to_str().unwrap().replace("_client", "_server");
    let other = server_logs.path().join(format!("{id}.sqlog"));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !other.exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(other.exists(), "the server wrote no {}", other.display());

    server.write("root/no.log", b"no log");
    let output = run(&["plot", &server.path("root/no.log"), "-o", &server.path("none.svg")]);
    check_failure(&output, 4, "is no qlog");
    let output = run(&["demo", "--bytes", "1k", "--qlog", "/dev/null/logs"]);
    check_failure(&output, 4, "write qlog to");
}

#[test]
fn secrets_of_both_ends_go_where_sslkeylogfile_says_and_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let output =
        quic(&["demo", "--bytes", "1k", "--json"]).env("SSLKEYLOGFILE", &keys).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&keys).unwrap();
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"] {
        let lines = text.lines().filter(|line| line.starts_with(label)).collect::<Vec<_>>();
        assert_eq!(lines.len(), 2, "one of each end: {text}");
        assert_eq!(lines[0], lines[1]);
    }
}

/// The last line of JSON that was printed: what came of all cases.
fn summary(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rfind(|line| line.contains("\"passed\""));
    serde_json::from_str(last.unwrap_or_default()).unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn the_evil_peer_finds_the_server_in_order() {
    let server = Server::start();
    let topics = ["frames", "handshake", "parameters", "streams", "versions"];
    let topics = topics.iter().flat_map(|topic| ["--case", topic]);
    let arguments = ["evil", &server.address, "--json"].into_iter().chain(topics);
    let output = run(&arguments.collect::<Vec<_>>());
    let text = String::from_utf8_lossy(&output.stdout);
    let wrong: Vec<&str> = text.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let summary = summary(&output);
    assert_eq!((&summary["failed"], &summary["not_set_up"]), (&0.into(), &0.into()), "{text}");
    assert!(summary["passed"].as_u64().unwrap() > 100, "{summary}");
    assert!(output.status.success());
}

#[test]
fn the_evil_peer_tells_of_a_server_that_does_not_react() {
    let server = Server::start();
    // It asks for no token.
    let case = "tokens/none where one is asked for";
    let output = run(&["evil", &server.address, "--case", case]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("FAILED") && text.contains("0 passed, 1 failed"), "{text}");
}

#[test]
fn the_evil_peer_does_not_hold_an_application_s_close_against_the_protocol() {
    let server = Server::start();
    let case = "streams/credit for a stream that has ended";
    let output = run(&["evil", &server.address, "--alpn", "h3", "--case", case]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("no application that bears what was sent on streams"), "{text}");
    assert!(text.contains("0 passed, 0 failed, 0 not set up, 1 not offered"), "{text}");
    assert!(output.status.success());
}

#[test]
fn the_evil_peer_finds_the_client_in_order() {
    let case = "frames/unknown type, to a client";
    let mut evil = quic(&["evil", "--listen", "127.0.0.1:0", "--case", case])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(evil.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("https://{address}/file");
    let client = quic(&["get", &url, "--insecure", "-o"]).arg(folder.path()).output().unwrap();
    let output = evil.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed, 0 failed"), "{text}");
    assert!(output.status.success() && !client.status.success());
}

#[test]
fn evil_cases_can_be_listed_and_have_to_exist() {
    let output = run(&["evil", "--list"]);
    assert!(String::from_utf8_lossy(&output.stdout).lines().count() > 197);
    check_failure(&run(&["evil", "127.0.0.1:9", "--case", "no such"]), 2, "--list");
    check_failure(&run(&["evil", "host.invalid:443"]), 3, "cannot find host.invalid:443");
}
