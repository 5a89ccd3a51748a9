//! How commands fail, each with its status and with words that say what to do; and what help says.

use std::time::Duration;

use local_s3::Fault;
use support::World;
use tokio::process::Command;

use super::{place, said, start, unloaded};

const EVENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/put.json");

/// Each command that asks something of S3, where unloads are at `all`.
fn commands(all: &str) -> Vec<Vec<String>> {
    let commands = [
        "add ALL",
        "add ALL --output single --dry-run --json",
        "check ALL",
        "headers show ALLq_0000_part_00",
        "headers set ALLq_ id name",
        "doctor ALL",
        &format!("event {EVENT}"),
    ];
    commands.map(|line| line.split(' ').map(|word| word.replace("ALL", all)).collect()).into()
}

/// Status, standard output and standard error, with these variables set.
async fn ended(world: &World, arguments: &[String], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = start(world, &arguments, variables).wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[tokio::test]
async fn what_is_wrong_on_the_command_line_is_named() {
    let world = unloaded().await;
    let all = place(&world, "unload/");
    for (arguments, part) in [
        (&[][..], "Usage: unload-header <COMMAND>"),
        (&["add"], "s3://BUCKET/PREFIX"),
        (&["ad"], "unrecognized subcommand 'ad'"),
        (&["add", &all, "--dryrun"], "unexpected argument '--dryrun' found"),
        (&["add", &all, "--dryrun"], "'--dry-run'"),
        (&["add", &all, "more"], "unexpected argument 'more' found"),
        (&["add", "my-unloads/unload/"], "it does not begin with s3://"),
        (&["add", "s3:///unload/"], "it names no bucket"),
        (&["add", &all, "--output", "both"], "possible values: each, single"),
        (&["add", &all, "--jobs", "0"], "0 is not in 1..=256"),
        (&["add", &all, "--include", "["], "glob"),
        (&["add", &all, "--final-key", "unload/{path}"], "the setting FINAL_KEY=\"unload/{path}\" is wrong"),
        (&["add", &all, "--unload-options", "GZIPP"], "the environment variable UNLOAD_OPTIONS, or --unload-options"),
        (&["add", &all, "--unload-prefix", "other/"], "is not below UNLOAD_PREFIX=\"other/\""),
        (&["check", &all, "--dry-run"], "unexpected argument '--dry-run' found"),
        (&["doctor", &all, "--kms"], "'--kms-key-id"),
        (&["event"], "<FILE>"),
        (&["headers", "set", &all], "<NAME>"),
        (&["headers", "set", &all, "id", "--file", "-"], "cannot be used with"),
        (&["serve", "65536"], "65536 is not in 0..=65535"),
        (&["completions", "dos"], "possible values: bash"),
    ] {
        let (found, out, err) = said(&world, arguments).await;
        assert_eq!((found, err.contains(part), out.as_str()), (2, true, ""), "{arguments:?}: {err}");
    }
    for (variable, part) in [
        (("UNLOAD_PREFIX", "other/"), "is not below UNLOAD_PREFIX"),
        (("OUTPUT", "both"), "the setting OUTPUT=\"both\" is wrong"),
    ] {
        let (status, out, err) = ended(&world, &["add".to_owned(), all.clone()], &[variable]).await;
        assert_eq!((status, err.contains(part), out.as_str()), (Some(2), true, ""), "{variable:?}: {err}");
    }
}

/// Without a word of Rust, and without the answer's headers.
#[tokio::test]
async fn without_credentials_or_a_region_each_command_says_what_to_set() {
    let world = unloaded().await;
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    for arguments in commands(&place(&world, "unload/")) {
        for (variables, part) in [(&none[..], "set AWS_PROFILE, or"), (&[("AWS_REGION", "")], "set AWS_REGION to")] {
            let (status, out, err) = ended(&world, &arguments, variables).await;
            let said = if arguments.contains(&"--json".to_owned()) { &out } else { &err };
            let said = if arguments[0] == "check" { format!("{out}{err}") } else { said.clone() };
            assert_eq!((status, said.contains(part)), (Some(1), true), "{arguments:?}: {out}{err}");
            assert!(!said.contains("DispatchFailure") && !said.contains("Some("), "{arguments:?}: {said}");
        }
    }
    assert_eq!(world.keys().await.len(), 4);
}

#[tokio::test]
async fn a_wrong_bucket_is_named() {
    for arguments in commands("s3://nowhere/unload/") {
        let world = unloaded().await;
        world.local().judge(|_| Some(Fault::Error(404, "NoSuchBucket")));
        let (status, out, err) = ended(&world, &arguments, &[]).await;
        let said = format!("{out}{err}");
        let bucket = if arguments[0] == "event" { "my-unloads" } else { "nowhere" };
        assert_eq!((status, said.contains(&format!("s3://{bucket}/"))), (Some(1), true), "{arguments:?}: {said}");
        assert!(!said.contains("unchanged") && !said.contains("written  "), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn what_is_not_permitted_is_named() {
    let world = unloaded().await;
    world.local().permit(Vec::new());
    for arguments in commands(&place(&world, "unload/")) {
        let (status, out, err) = ended(&world, &arguments, &[]).await;
        let said = format!("{out}{err}");
        assert_eq!((status, said.contains("AccessDenied")), (Some(1), true), "{arguments:?}: {said}");
        let names_action = ["s3:ListBucket", "s3:GetObject", "s3:PutObject"].iter().any(|action| said.contains(action));
        assert!(names_action, "{arguments:?}: {said}");
    }
    assert_eq!(world.local().keys(&world.bucket).len(), 4);
}

#[tokio::test]
async fn help_has_examples_on_standard_output() {
    let world = World::in_process().await;
    for command in ["", "add", "check", "headers set", "headers show", "doctor", "event", "serve", "completions", "man"]
    {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let (status, out, err) = said(&world, &arguments).await;
        assert_eq!((status, err.as_str()), (0, ""), "{command}");
        let examples = out.split("Example").nth(1).unwrap_or_else(|| panic!("{command}: {out}"));
        assert!(examples.contains(&format!("  unload-header {command}")), "{command}: {out}");
        assert!(!out.contains('\x1b'), "no control codes without a terminal");
    }
    for (arguments, part) in [
        (&["--help"][..], "Put headers on what is there"),
        (&["--help"], "Exit status: 0; 1 if anything failed"),
        (&["--version"], concat!("unload-header ", env!("CARGO_PKG_VERSION"))),
        (&["completions", "bash"], "complete -F "),
        (&["man"], ".TH unload-header 1"),
    ] {
        let (status, out, err) = said(&world, arguments).await;
        assert_eq!((status, out.contains(part), err.as_str()), (0, true, ""), "{arguments:?}: {out}");
    }
}

/// A reader that goes away, like `head`, is no panic.
#[tokio::test]
async fn a_closed_pipe_ends_it() {
    let world = unloaded().await;
    for slice in 0..50 {
        world.put(&format!("unload/many_{slice:04}_part_00"), "1\n").await;
    }
    world.put("unload/many_.headers", "a").await;
    let (all, one) = (place(&world, "unload/"), place(&world, "unload/q_0000_part_00"));
    for arguments in [
        &["add", &all, "--dry-run"][..],
        &["add", &all, "--dry-run", "--json"],
        &["check", &all],
        &["headers", "show", &one],
        &["doctor", &all],
        &["demo"],
        &["serve", "0"],
        &["completions", "bash"],
        &["man"],
    ] {
        let mut child = start(&world, arguments, &[]);
        drop(child.stdin.take());
        drop(child.stdout.take());
        let done = child.wait_with_output().await.unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        let said = "nobody reads standard output any more\n";
        assert_eq!((done.status.code(), err.as_str()), (Some(1), said), "{arguments:?}");
    }
    assert!(world.keys().await.iter().all(|key| key.starts_with("unload/")), "the doctor has cleared up");
}

/// For a server that is not there, which the SDK asks again up to a minute; or for what is to come from standard input.
#[tokio::test]
async fn whatever_a_command_waits_for_it_is_stopped() {
    let world = unloaded().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let (all, one) = (place(&world, "unload/"), place(&world, "unload/q_0000_part_00"));
    for (arguments, signal, expected) in [
        (&["headers", "show", &one][..], "-TERM", Some(130)),
        (&["check", &all], "-INT", Some(130)),
        (&["event", EVENT], "-TERM", Some(130)),
        // The signal itself. A shell lets what it runs in the background ignore SIGINT.
        (&["event", "-"], "-TERM", None),
        (&["headers", "set", &all, "--file", "-"], "-TERM", None),
    ] {
        let mut child = start(&world, arguments, &[("AWS_ENDPOINT_URL_S3", &nobody)]);
        let _stdin = child.stdin.take();
        let id = child.id().unwrap().to_string();
        match expected {
            Some(_) => waits_for_signals(&id).await,
            None => tokio::time::sleep(Duration::from_secs(1)).await,
        }
        assert!(child.try_wait().unwrap().is_none(), "{arguments:?}");
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let done = tokio::time::timeout(Duration::from_secs(10), child.wait_with_output()).await;
        assert_eq!(done.expect("it has ended").unwrap().status.code(), expected, "{arguments:?}");
    }
}

/// Returns when a process handles SIGINT and SIGTERM, with which it begins its work. Where there is no /proc, some time has to do.
async fn waits_for_signals(id: &str) {
    const BOTH: u64 = 1 << 1 | 1 << 14;
    for _ in 0..300 {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) else {
            return tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let handled = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        if u64::from_str_radix(handled.trim(), 16).unwrap() & BOTH == BOTH {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it handles no signal");
}
