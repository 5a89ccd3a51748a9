//! `unload-header doctor` says what a store keeps, and leaves nothing behind. Each rule that it tries is switched off once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use local_s3::{Fault, Object, Request};
use serde_json::Value;
use support::World;
use tokio::process::{Child, Command};

const KMS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/scratch";

/// By what a promise relies on: the verdict, and what was seen.
type Verdicts = BTreeMap<String, (String, String)>;

fn start(world: &World, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_unload-header"))
        .args(["doctor", &format!("s3://{}/scratch", world.bucket)])
        .args(more)
        .env_clear()
        .envs([("AWS_ENDPOINT_URL_S3", world.endpoint()), ("AWS_SECRET_ACCESS_KEY", support::secret())])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn said(world: &World, more: &[&str]) -> (Option<i32>, Verdicts) {
    let done = start(world, &[&["--json"], more].concat()).wait_with_output().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = String::from_utf8(done.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let verdicts = lines.map(|it| (text(&it["relied_on"]), (text(&it["verdict"]), text(&it["seen"]))));
    (done.status.code(), verdicts.collect())
}

fn not_kept(verdicts: &Verdicts) -> Vec<&str> {
    verdicts.iter().filter(|(_, (verdict, _))| verdict == "not kept").map(|(name, _)| name.as_str()).collect()
}

fn is_empty(world: &World) -> bool {
    world.local().keys(&world.bucket).is_empty() && world.local().uploads().is_empty()
}

#[tokio::test]
async fn it_ends_with_a_table_of_what_is_kept() {
    let world = World::in_process().await;
    world.local().judge(|request| (request.operation == "DeleteObject").then(|| Fault::ignoring("if-match")));
    let done = start(&world, &[]).wait_with_output().await.unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    let (_, table) = out.split_once("\n\nkept here: 22\n  PutObject with If-None-Match is refused").expect(&out);
    assert!(table.contains("\n\nnot kept here: 1\n  DeleteObject with If-Match is refused"), "{table}");
    assert!(table.contains("\n\nnot tried here: 1\n  a KMS key is taken"), "{table}");
    assert_eq!(done.status.code(), Some(1));
}

#[tokio::test]
async fn all_is_kept_by_the_s3_in_memory() {
    let world = World::in_process().await;
    let (status, verdicts) = said(&world, &[]).await;
    assert_eq!((status, not_kept(&verdicts)), (Some(0), Vec::new()), "{verdicts:?}");
    let untried: Vec<_> = verdicts.iter().filter(|(_, (verdict, _))| verdict == "not tried").collect();
    assert!(untried.len() == 1 && untried[0].0.contains("KMS"), "{untried:?}");
    assert_eq!(verdicts.len(), 24);
    assert!(is_empty(&world));
    let (status, verdicts) = said(&world, &["--kms-key-id", KMS_KEY]).await;
    assert_eq!((status, not_kept(&verdicts)), (Some(0), Vec::new()), "{verdicts:?}");
    assert!(verdicts.values().all(|(verdict, _)| verdict == "kept"), "{verdicts:?}");
}

const PUT_ABSENT: &str = "PutObject with If-None-Match is refused where an object is";
const PUT_MATCHING: &str = "PutObject with If-Match is refused where another version is";
const PUTS_AT_ONCE: &str = "of many conditional PutObjects at once, one succeeds";
const COMPLETE_ABSENT: &str = "CompleteMultipartUpload with If-None-Match is refused where an object is";
const COMPLETE_MATCHING: &str = "CompleteMultipartUpload with If-Match is refused where another version is";
const COMPLETES_AT_ONCE: &str = "of many conditional CompleteMultipartUploads at once, one succeeds";
const DELETE_MATCHING: &str = "DeleteObject with If-Match is refused for another version";
const READ_PINNED: &str = "GetObject with If-Match is refused for another version";
const MISSING: &str = "a missing key answers 404";
const COPY_PINNED: &str = "UploadPartCopy with x-amz-copy-source-if-match is refused for another version";
const COPY_RANGED: &str = "UploadPartCopy copies just the range that it names";
const ODD_KEYS: &str = "keys with spaces, +, % and umlauts are copied and listed as they are";
const COPIES_AT_ONCE: &str = "64 parts are copied at a time, each as it should";
const PUT_WRONG_CRC: &str = "PutObject is refused if the body has another CRC";
const PUT_CRC: &str = "HeadObject tells the CRC64NVME of an object that was put";
const COMPLETE_WRONG_CRC: &str = "CompleteMultipartUpload is refused if the whole has another CRC";
const COMPLETE_CRC: &str = "HeadObject tells the CRC64NVME of the whole of a multipart object";
const WRONG_SIZE: &str = "CompleteMultipartUpload is refused if the whole has another size";
const UNLISTED: &str = "parts that are not completed are left out";
const UPLOADS: &str = "open uploads are listed, and gone after their abort";
const LISTED: &str = "the parts of an open upload are listed with their sizes and CRCs";
const TAGS: &str = "tags are kept by PutObject and by a multipart upload, and counted by HeadObject";
const METADATA: &str = "user metadata is kept by PutObject and by a multipart upload";
const KMS: &str = "a KMS key is taken by PutObject and by a multipart upload, and named by HeadObject";

/// What happens to a request.
type Break = fn(&Request) -> Option<Fault>;

/// The header is not heeded.
fn without(header: &'static str) -> Option<Fault> {
    Some(Fault::ignoring(header))
}

/// The answer lacks the header.
fn untold(header: &'static str) -> Option<Fault> {
    Some(Fault::OtherAnswer(Box::new(move |answer| drop(answer.headers_mut().remove(header)))))
}

/// The answer tells something else.
fn told(header: &'static str, value: &'static str) -> Option<Fault> {
    Some(Fault::OtherAnswer(Box::new(move |answer| drop(answer.headers_mut().insert(header, value.parse().unwrap())))))
}

/// The body of the answer has other words.
fn reworded(from: &'static str, to: &'static str) -> Option<Fault> {
    Some(Fault::OtherAnswer(Box::new(move |answer| {
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        *answer.body_mut() = text.replace(from, to).into();
    })))
}

/// The URI of the request has other words.
fn asked(from: &'static str, to: &'static str) -> Option<Fault> {
    Some(Fault::OtherRequest(Box::new(move |parts| {
        parts.uri = parts.uri.to_string().replace(from, to).parse().unwrap();
    })))
}

/// Whatever is answered, it is written over what is there; or where nothing is, if that is said.
fn written_all_the_same(request: &Request, where_nothing_is: bool) -> Option<Fault> {
    let (bucket, key) = (request.bucket.clone(), request.key.clone());
    Some(Fault::Meanwhile(Box::new(move |store| {
        if where_nothing_is || store.object(&bucket, &key).is_some() {
            store.put(&bucket, &key, Object::new("other"));
        }
    })))
}

/// The last of three parts is taken for more of the second.
fn joined(request: &Request) -> Option<Fault> {
    let key = request.key.clone();
    Some(Fault::Meanwhile(Box::new(move |store| {
        let upload = store.uploads.values_mut().find(|upload| upload.key == key).unwrap();
        let last = upload.parts[&3].content.clone();
        upload.parts.get_mut(&2).unwrap().content.append(&last);
    })))
}

/// Rules, each switched off, with all that must be said to be not kept then.
#[rustfmt::skip]
const BROKEN: &[(&str, Break, &[&str])] = &[
    ("PutObject", |_| without("if-none-match"), &[PUT_ABSENT, PUTS_AT_ONCE]),
    ("PutObject", |_| without("if-match"), &[PUT_MATCHING, PUTS_AT_ONCE]),
    ("PutObject", |it| it.key.contains("/puts-at-once").then(|| Fault::ignoring("if-none-match")), &[PUTS_AT_ONCE]),
    ("PutObject", |it| it.key.ends_with("/put-absent").then(|| written_all_the_same(it, false))?, &[PUT_ABSENT]),
    ("PutObject", |it| it.key.ends_with("/put-matching").then(|| written_all_the_same(it, false))?, &[PUT_MATCHING]),
    ("CompleteMultipartUpload", |_| without("if-none-match"), &[COMPLETE_ABSENT, COMPLETES_AT_ONCE]),
    ("CompleteMultipartUpload", |_| without("if-match"), &[COMPLETE_MATCHING, COMPLETES_AT_ONCE]),
    ("CompleteMultipartUpload", |it| it.key.contains("/completes-at-once").then(|| Fault::ignoring("if-match")), &[COMPLETES_AT_ONCE]),
    ("CompleteMultipartUpload", |it| it.key.ends_with("/complete-absent").then(|| written_all_the_same(it, true))?, &[COMPLETE_ABSENT]),
    ("CompleteMultipartUpload", |it| it.key.ends_with("/complete-matching").then(|| written_all_the_same(it, true))?, &[COMPLETE_MATCHING]),
    ("DeleteObject", |_| without("if-match"), &[DELETE_MATCHING]),
    ("GetObject", |_| without("if-match"), &[READ_PINNED]),
    ("HeadObject", |it| it.key.ends_with("/missing").then_some(Fault::Error(403, "AccessDenied")), &[MISSING]),
    ("UploadPartCopy", |_| without("x-amz-copy-source-if-match"), &[COPY_PINNED]),
    ("UploadPartCopy", |_| Some(Fault::wrong_range()), &[COPY_RANGED, COPIES_AT_ONCE]),
    ("UploadPartCopy", |_| without("x-amz-copy-source-range"), &[COPY_RANGED, COPIES_AT_ONCE]),
    ("UploadPartCopy", |_| header("x-amz-copy-source", "%25", "%"), &[ODD_KEYS]),
    ("UploadPartCopy", |_| header("x-amz-copy-source", "%2B", "+"), &[ODD_KEYS]),
    ("UploadPartCopy", |_| header("x-amz-copy-source-range", "bytes=7-5242886", "bytes=8-5242887"), &[COPIES_AT_ONCE]),
    ("UploadPartCopy", |_| asked("partNumber=7&", "partNumber=8&"), &[COPIES_AT_ONCE]),
    ("ListObjectsV2", |_| reworded("%25", "%2525"), &[ODD_KEYS]),
    ("PutObject", |_| without("x-amz-checksum-crc64nvme"), &[PUT_WRONG_CRC]),
    ("PutObject", |it| it.key.ends_with("/put-wrong-crc").then(|| written_all_the_same(it, true))?, &[PUT_WRONG_CRC]),
    ("PutObject HeadObject", repeated, &[PUT_WRONG_CRC, PUT_CRC]),
    ("HeadObject", |_| untold("x-amz-checksum-crc64nvme"), &[PUT_CRC, COMPLETE_CRC]),
    ("HeadObject", |it| it.key.ends_with("/complete-crc").then(|| told("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="))?, &[COMPLETE_CRC]),
    ("CompleteMultipartUpload", |_| without("x-amz-checksum-crc64nvme"), &[COMPLETE_WRONG_CRC]),
    ("CompleteMultipartUpload", |it| it.key.ends_with("/complete-wrong-crc").then(|| written_all_the_same(it, true))?, &[COMPLETE_WRONG_CRC]),
    ("CompleteMultipartUpload", |it| it.key.ends_with("/complete-crc").then_some(Fault::Error(400, "BadDigest")), &[COMPLETE_CRC]),
    ("CompleteMultipartUpload", |_| without("x-amz-mp-object-size"), &[WRONG_SIZE]),
    ("CompleteMultipartUpload", |it| it.key.ends_with("/wrong-size").then(|| written_all_the_same(it, true))?, &[WRONG_SIZE]),
    ("CompleteMultipartUpload", |it| it.key.ends_with("/unlisted").then(|| joined(it))?, &[UNLISTED]),
    ("ListMultipartUploads", |_| asked("prefix=", "prefix=other"), &[UPLOADS]),
    ("AbortMultipartUpload", |_| read_only(), &[UPLOADS]),
    ("ListParts", |_| asked("?", "?part-number-marker=1&"), &[LISTED]),
    ("ListParts", |_| reworded("<Size>20<", "<Size>21<"), &[LISTED]),
    ("ListParts", |_| reworded("ChecksumCRC64NVME", "Checksum"), &[LISTED]),
    ("PutObject", |_| without("x-amz-tagging"), &[TAGS]),
    ("CreateMultipartUpload", |_| without("x-amz-tagging"), &[TAGS]),
    ("HeadObject", |_| untold("x-amz-tagging-count"), &[TAGS]),
    ("GetObjectTagging", |_| reworded("2026", "2027"), &[TAGS]),
    ("PutObject", |_| without("x-amz-meta-unload-header"), &[METADATA]),
    ("CreateMultipartUpload", |_| without("x-amz-meta-unload-header"), &[METADATA]),
    ("HeadObject", |_| untold("x-amz-meta-unload-header"), &[METADATA]),
    ("PutObject", |_| without("x-amz-server-side-encryption-aws-kms-key-id"), &[KMS]),
    ("CreateMultipartUpload", |_| without("x-amz-server-side-encryption-aws-kms-key-id"), &[KMS]),
];

/// A header of the request has other words.
fn header(name: &'static str, from: &'static str, to: &'static str) -> Option<Fault> {
    Some(Fault::OtherRequest(Box::new(move |parts| {
        if let Some(value) = parts.headers.get(name).map(|value| value.to_str().unwrap().replace(from, to)) {
            parts.headers.insert(name, value.parse().unwrap());
        }
    })))
}

/// HeadObject tells the CRC that PutObject was sent, whatever that was.
fn repeated(request: &Request) -> Option<Fault> {
    const NAMES: [&str; 2] = ["x-amz-checksum-crc64nvme", "x-amz-meta-crc"];
    fn renamed(headers: &mut local_s3::HeaderMap, from: &str, to: &'static str) {
        if let Some(value) = headers.remove(from) {
            headers.insert(to, value);
        }
    }
    Some(match request.operation {
        "PutObject" => Fault::OtherRequest(Box::new(|parts| renamed(&mut parts.headers, NAMES[0], NAMES[1]))),
        _ => Fault::OtherAnswer(Box::new(|answer| renamed(answer.headers_mut(), NAMES[1], NAMES[0]))),
    })
}

/// Nothing is deleted.
fn read_only() -> Option<Fault> {
    Some(Fault::OtherRequest(Box::new(|parts| parts.method = "GET".parse().unwrap())))
}

/// Without a bucket or credentials it does not say that nothing is kept.
#[tokio::test]
async fn a_store_that_can_t_be_written_to_is_an_error() {
    let world = World::in_process().await;
    world.local().judge(|request| (request.operation == "PutObject").then_some(Fault::Error(404, "NoSuchBucket")));
    let done = start(&world, &[]).wait_with_output().await.unwrap();
    let err = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(1) && done.stdout.is_empty() && err.contains("S3.NoSuchBucket"), "{err}");
}

/// A server that knows no conditions says so to each.
#[tokio::test]
async fn a_store_without_conditional_writes_is_told() {
    let world = World::in_process().await;
    world.local().deny_conditions();
    let (_, verdicts) = said(&world, &[]).await;
    let expected = [
        COMPLETE_MATCHING,
        COMPLETE_ABSENT,
        DELETE_MATCHING,
        PUT_MATCHING,
        PUT_ABSENT,
        COMPLETES_AT_ONCE,
        PUTS_AT_ONCE,
    ];
    assert_eq!(not_kept(&verdicts), expected);
    assert_eq!(verdicts[PUTS_AT_ONCE].1, "If-None-Match: 0 of 16; in race 1 of 5");
}

#[tokio::test]
async fn whoever_stops_it_finds_nothing_left() {
    for signal in ["-INT", "-TERM"] {
        let world = World::in_process().await;
        world.local().judge(|request| {
            (request.operation == "UploadPartCopy").then_some(Fault::Late(Duration::from_secs(3_600)))
        });
        let child = start(&world, &[]);
        while !world.local().take_requests().iter().any(|request| request.operation == "UploadPartCopy") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!is_empty(&world));
        let id = child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let done = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        let done = done.unwrap_or_else(|_| panic!("{signal} does not end it")).unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(130), "{err}");
        assert!(err.starts_with("stopped; s3://") && err.ends_with("/ is empty again\n"), "{err}");
        assert!(is_empty(&world), "{signal}");
    }
}

/// Each run takes seconds, so that some go on side by side.
#[tokio::test]
async fn each_rule_that_is_switched_off_is_said_to_be_so() {
    let runs = support::sample(BROKEN.iter().enumerate(), 4).map(|(nth, (operation, fault, expected))| async move {
        let world = World::in_process().await;
        let is_meant = |request: &Request| operation.split(' ').any(|it| it == request.operation);
        world.local().judge(move |request| if is_meant(request) { fault(request) } else { None });
        let (status, verdicts) = said(&world, &["--kms-key-id", KMS_KEY]).await;
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let problem = (status != Some(1) || not_kept(&verdicts) != expected)
            .then(|| format!("{nth}, {operation}: {status:?} {:?} for {expected:?}", not_kept(&verdicts)));
        problem.map(|problem| {
            let seen: Vec<_> = verdicts.iter().filter(|(_, (verdict, _))| verdict == "not kept").collect();
            format!("{problem}\n{seen:?}")
        })
    });
    let problems: Vec<Option<String>> = stream::iter(runs).buffer_unordered(4).collect().await;
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    let tried: BTreeSet<&str> = BROKEN.iter().flat_map(|(.., expected)| expected.iter().copied()).collect();
    assert_eq!(tried.len(), 24, "each probe has a rule that it finds switched off: {tried:?}");
}
