//! Intermediate objects on the S3 in memory: what is written and deleted, what happens when anything changes meanwhile, and
//! merges of tens of thousands of slices. Most of it is tried with uploads that may have three parts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::store::Store;
use local_s3::{Content, Fault, LocalS3, Object, Rules};
use support::{MIB, World, manifest, rows};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use unload_header::copy::plan::Limits;
use unload_header::crc::Algorithm;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::job::{Demand, Intent, demands_of, dry_run, run};
use unload_header::receipt::{Outcome, Proof, Receipt};
use unload_header::uri::Uri;

const SINGLE: [(&str, &str); 1] = [("OUTPUT", "single")];
const MANIFEST: &str = "unload/q_manifest";
const FINAL: &str = "final/q.csv";
const HEADER: &str = "idx|venue|name\n";
const FOLDER: &str = ".unload-header/";
const M: u64 = MIB as u64;

fn key(slice: usize) -> String {
    format!("unload/q_{slice:06}_part_00")
}

fn put(local: &LocalS3, slices: &[Object]) {
    let keys: Vec<String> = (0..slices.len()).map(key).collect();
    keys.iter().zip(slices).for_each(|(key, slice)| local.put("bucket", key, slice.clone()));
    let entries: Vec<(&str, u64)> =
        keys.iter().map(String::as_str).zip(slices.iter().map(|slice| slice.content.length())).collect();
    local.put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])));
}

/// An unload of these slices, on an S3 whose uploads have three parts at most.
async fn world(slices: &[Object]) -> World {
    let world = World::in_memory().await.with_max_parts(3);
    put(world.local(), slices);
    world
}

/// Rows of so many bytes that begin with this byte, the last of which ends.
fn slice(first: u8, size: u64) -> Object {
    let mut content = Content::from(vec![first]);
    content.append(&Content::repeat(rows(MIB), size - 2));
    content.append(&Content::from("\n"));
    Object::new(content)
}

/// Six slices: more than three parts, and than three times two.
fn six(first: u8) -> Vec<Object> {
    (0..6).map(|number| slice(first + number, 6 * M + u64::from(number))).collect()
}

fn whole(slices: &[Object]) -> Content {
    slices.iter().fold(Content::from(HEADER), |mut whole, slice| {
        whole.append(&slice.content);
        whole
    })
}

fn intermediates(local: &LocalS3) -> Vec<String> {
    local.keys("bucket").into_iter().filter(|key| key.starts_with(FOLDER)).collect()
}

/// The final object is right, and nothing else is left.
fn right(world: &World, slices: &[Object]) {
    let local = world.local();
    assert!(local.get("bucket", FINAL).expect("a final object").content == whole(slices));
    assert_eq!((intermediates(local), local.uploads().len()), (Vec::new(), 0));
}

async fn merge(world: &World) -> Receipt {
    world.receipt(&SINGLE, MANIFEST).await
}

/// What was asked of S3 on intermediate objects.
fn of_intermediates(world: &World) -> Vec<&'static str> {
    let requests = world.local().take_requests();
    let own = |text: &str| text.contains(FOLDER);
    requests
        .iter()
        .filter(|it| own(&it.key) || it.copy_source.as_deref().is_some_and(own) || own(&it.prefix))
        .map(|it| it.operation)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn more_slices_than_parts_become_one_object() {
    let slices = six(b'a');
    let world = world(&slices).await;
    let receipt = merge(&world).await;
    let written = receipt.written.unwrap();
    assert_eq!((written.parts, written.intermediates), (3, 2));
    assert_eq!(written.proof, Proof::Crc(Algorithm::Crc64Nvme));
    assert!(written.bytes_through < 13 * M, "the header goes through with the first slice: {}", written.bytes_through);
    let asked = of_intermediates(&world);
    let count = |operation: &str| asked.iter().filter(|it| **it == operation).count();
    assert_eq!([count("HeadObject"), count("CompleteMultipartUpload"), count("DeleteObject")], [2, 2, 2], "{asked:?}");
    right(&world, &slices);
    let again = merge(&world).await;
    assert_eq!(again.outcome, Outcome::Unchanged);
    right(&world, &slices);
}

/// Other rows, names, keys or targets: another fingerprint. Nobody else's are touched.
#[tokio::test(start_paused = true)]
async fn nothing_of_another_job_or_of_other_rows_is_used_or_deleted() {
    let slices = six(b'a');
    let world = world(&slices).await;
    let left = stopped(&world).await;
    assert_eq!(left.len(), 2);
    // The same job with other rows, and with other names.
    let others = six(b'A');
    put(world.local(), &others);
    assert_eq!(merge(&world).await.outcome, Outcome::Written);
    assert!(world.local().get("bucket", FINAL).unwrap().content == whole(&others));
    assert_eq!(intermediates(world.local()), left, "they are of other rows, and left to the lifecycle rule");
    // Another job with the same rows.
    let entries: Vec<(String, u64)> =
        (0..6).map(|it| (key(it).replace("q_", "r_"), slices[it].content.length())).collect();
    entries.iter().zip(&slices).for_each(|((key, _), slice)| world.local().put("bucket", key, slice.clone()));
    let entries: Vec<(&str, u64)> = entries.iter().map(|(key, size)| (key.as_str(), *size)).collect();
    world.local().put(
        "bucket",
        "unload/r_manifest",
        Object::new(manifest("bucket", &entries, &["idx", "venue", "name"])),
    );
    world.receipt(&SINGLE, "unload/r_manifest").await;
    assert!(world.local().get("bucket", "final/r.csv").unwrap().content == whole(&slices));
    assert_eq!(intermediates(world.local()), left);
    // The first rows again: what is left of them is used, and deleted.
    put(world.local(), &slices);
    world.local().take_requests();
    merge(&world).await;
    assert!(!of_intermediates(&world).contains(&"CreateMultipartUpload"));
    right(&world, &slices);
}

/// A merge that was refused when it was to be completed: its intermediate objects are left.
async fn stopped(world: &World) -> Vec<String> {
    world.local().judge(|request| {
        let is_last = request.operation == "CompleteMultipartUpload" && request.key == FINAL;
        is_last.then_some(Fault::Error(403, "AccessDenied"))
    });
    world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
    world.local().judge(|_| None);
    assert!(world.local().get("bucket", FINAL).is_none());
    intermediates(world.local())
}

/// A small slice is held against the header when it is read. What was made under other names does not hide that it begins
/// with the header of these.
#[tokio::test(start_paused = true)]
async fn a_slice_that_begins_with_the_right_names_is_found_after_wrong_ones() {
    let mut slices = six(b'a');
    slices[4] = Object::new("id|n|m\n1|2|3\n");
    let world = world(&slices).await;
    let sidecar = |names: &'static str| world.local().put("bucket", "unload/q_.headers", Object::new(names));
    sidecar("x,y,z");
    assert_eq!(stopped(&world).await.len(), 2);
    sidecar("id,n,m");
    let error = world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
    assert_eq!(error.kind(), "HeaderOrRow", "{error}");
    assert!(world.local().get("bucket", FINAL).is_none());
}

/// Of which something is wrong: the seal, the size, the bytes. It is made anew, though its key is right.
#[tokio::test(start_paused = true)]
async fn what_is_at_its_key_and_not_right_is_replaced() {
    let slices = six(b'a');
    let wrong: [fn(&Object) -> Object; 4] = [
        |_| Object::new("of somebody else"),
        |it| Object { headers: it.headers.clone(), ..Object::new(Content::repeat("x", it.content.length())) },
        |it| Object { headers: it.headers.clone(), ..Object::new(it.content.slice(0, it.content.length() - 1)) },
        |it| Object::new(it.content.clone()),
    ];
    for wrong in wrong {
        let world = world(&slices).await;
        for key in stopped(&world).await {
            let object = wrong(&world.local().get("bucket", &key).unwrap());
            world.local().put("bucket", &key, object);
        }
        assert_eq!(merge(&world).await.written.unwrap().proof, Proof::Crc(Algorithm::Crc64Nvme));
        right(&world, &slices);
    }
}

/// S3 copies a wrong range, for an intermediate object or of one. Its CRC, or that of the whole, is not the expected one.
#[tokio::test(start_paused = true)]
async fn a_wrong_copy_never_becomes_part_of_a_final_object() {
    // Some parts are ranges, since the slices are longer than a part is.
    let slices: Vec<Object> = (0..6).map(|number| slice(b'a' + number, 6 << 30)).collect();
    let world = World::in_memory().await.with_max_parts(8);
    put(world.local(), &slices);
    world.local().judge(|request| {
        // A range that begins at 0 can't begin a byte earlier.
        let range = request.copy_range.as_ref().filter(|range| !range.starts_with("bytes=0-"));
        range.map(|_| Fault::wrong_range())
    });
    let error = world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
    assert_eq!(error.kind(), "S3.BadDigest");
    assert!(world.local().get("bucket", FINAL).is_none() && world.local().uploads().is_empty());
    world.local().judge(|_| None);
    merge(&world).await;
    right(&world, &slices);
}

/// Before each request of a run in turn, a slice is overwritten, an intermediate object deleted, or the run is killed.
#[tokio::test(start_paused = true)]
async fn whatever_happens_before_any_request_the_final_object_is_right_in_the_end() {
    let (slices, mut after) = (six(b'a'), six(b'a'));
    after[3] = slice(b'z', 6 * M + 3);
    let count = {
        let world = world(&slices).await;
        merge(&world).await;
        world.local().take_requests().len()
    };
    for number in 1..=count {
        for what in ["overwritten", "deleted", "killed"] {
            // Without CRCs there is one request more, which looks at what was made.
            let bare = || slices.iter().map(|slice| slice.clone().with_checksum(None)).collect();
            let slices: Vec<Object> = if what == "deleted" { bare() } else { slices.clone() };
            let world = world(&slices).await;
            let (newest, mut at) = (after.clone(), 0);
            let (kill, killed) = oneshot::channel();
            let (mut kill, never) = (Some(kill), Arc::new(Mutex::new(Vec::new())));
            let holds = never.clone();
            world.local().judge(move |_| {
                at += 1;
                if at != number {
                    return None;
                }
                let newest = newest.clone();
                Some(match what {
                    "overwritten" => Fault::Meanwhile(Box::new(move |store: &mut Store| {
                        store.put("bucket", &key(3), newest[3].clone());
                    })),
                    "deleted" => Fault::Meanwhile(Box::new(|store: &mut Store| {
                        let all = store.objects.keys().filter(|(_, key)| key.starts_with(FOLDER)).cloned();
                        for (bucket, key) in all.collect::<Vec<_>>() {
                            store.delete(&bucket, &key);
                        }
                    })),
                    _ => {
                        let (hold, held) = oneshot::channel();
                        holds.lock().unwrap().push(hold);
                        kill.take().map(|kill| kill.send(()));
                        Fault::Held(held)
                    }
                })
            });
            tokio::select! {
                biased;
                result = world.run(&SINGLE, &[MANIFEST]) => drop(result.unwrap_or_else(|error| panic!("{number} {what}: {error}"))),
                _ = killed => (),
            }
            world.local().judge(|_| None);
            never.lock().unwrap().clear();
            // What was killed may have reached S3 all the same.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = if what == "overwritten" { &after } else { &slices };
            let receipt = merge(&world).await;
            let found = world.local().get("bucket", FINAL).expect("a final object").content;
            assert!(found == whole(now), "{number} {what} {receipt:?}");
            let left = (intermediates(world.local()).len(), world.local().uploads().len());
            // Those of the older rows are left to the lifecycle rule.
            assert!(left.1 == 0 && (left.0 == 0 || what == "overwritten"), "{number} {what}: {left:?} {receipt:?}");
        }
    }
}

/// Small slices are checked when they are read for their part, wherever an intermediate object ends: a row that does not end
/// gets its newline.
#[tokio::test(start_paused = true)]
async fn small_slices_at_the_borders_are_checked_like_others() {
    for at in 1..6 {
        let mut slices = six(b'a');
        slices.insert(at, Object::new("1|2|3"));
        let world = world(&slices).await;
        merge(&world).await;
        slices[at] = Object::new("1|2|3\n");
        right(&world, &slices);
    }
}

/// What is cut off each slice, and added between them, is part of what S3 is told to expect.
#[tokio::test(start_paused = true)]
async fn headers_are_cut_off_slices_of_intermediate_objects_as_well() {
    // The last row of none of them ends.
    let open = |slice: &Object| {
        let mut rows = slice.content.slice(0, slice.content.length() - 1);
        rows.append(&Content::from("x"));
        rows
    };
    let open: Vec<Content> = six(b'a').iter().map(open).collect();
    let with_header = |rows: &Content| {
        let mut content = Content::from(HEADER);
        content.append(rows);
        Object::new(content)
    };
    let world = world(&open.iter().map(with_header).collect::<Vec<_>>()).await;
    let receipt = world.receipt(&[SINGLE[0], ("UNLOAD_OPTIONS", "HEADER")], MANIFEST).await;
    assert_eq!(receipt.written.unwrap().proof, Proof::Crc(Algorithm::Crc64Nvme));
    let mut expected = Content::from(HEADER);
    for (number, rows) in open.iter().enumerate() {
        expected.append(&Content::from(if number == 0 { "" } else { "\n" }));
        expected.append(rows);
    }
    assert!(world.local().get("bucket", FINAL).unwrap().content == expected);
    assert_eq!(intermediates(world.local()), Vec::<String>::new());
}

/// A run that has ended deletes what another one still copies.
#[tokio::test(start_paused = true)]
async fn a_run_whose_intermediate_objects_another_has_deleted_finds_the_final_object() {
    let slices = six(b'a');
    let world = world(&slices).await;
    let other = World::of(world.local().beside()).await.with_max_parts(3);
    let (go_on, held) = oneshot::channel();
    let (mut held, met) = (Some(held), Arc::new(Mutex::new(false)));
    let meets = met.clone();
    // It is held back when it is to copy the first intermediate object.
    world.local().judge(move |request| {
        let is_first = request.copy_source.as_deref().is_some_and(|source| source.contains(FOLDER));
        let held = held.take_if(|_| is_first)?;
        *meets.lock().unwrap() = true;
        Some(Fault::Held(held))
    });
    let first = async { merge(&world).await };
    let second = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(*met.lock().unwrap());
        let receipt = merge(&other).await;
        go_on.send(()).unwrap();
        receipt
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.outcome, second.outcome), (Outcome::Unchanged, Outcome::Written));
    right(&world, &slices);
}

#[tokio::test(start_paused = true)]
async fn a_killed_run_is_cleared_up_after_by_the_next() {
    let slices = six(b'a');
    let world = world(&slices).await;
    world
        .local()
        .judge(|request| (request.operation == "DeleteObject").then(|| Fault::Late(Duration::from_secs(86_400))));
    timeout(Duration::from_secs(600), world.run(&SINGLE, &[MANIFEST])).await.ok();
    world.local().judge(|_| None);
    assert!(!intermediates(world.local()).is_empty());
    let of_another = (".unload-header/0123456789abcdef/1", ".unload-header/0123456789abcdef/2");
    world.local().put("bucket", of_another.0, Object::new("of another job"));
    let create = world.client.create_multipart_upload().bucket("bucket").key(of_another.1);
    create.send().await.unwrap();
    let (handler, deadline) = (world.handler(&SINGLE), Deadline::after(MAX_TIMEOUT));
    let demands = demands_of(&handler.settings, &handler.s3, &Uri::new("bucket", MANIFEST), None).await.unwrap();
    let Some(Demand::Job(job)) = demands.into_iter().next() else { panic!("no job") };
    let Ok(Intent::Idle { receipt, .. }) = dry_run(&handler.settings, &handler.s3.counting(), &job, &deadline).await
    else {
        panic!("it is there");
    };
    let done = run(&handler.settings, &handler.s3.counting(), &job, &deadline).await.unwrap();
    assert_eq!((done.outcome, done.requests), (Outcome::Unchanged, receipt.requests));
    assert_eq!(intermediates(world.local()), [of_another.0]);
    let uploads: Vec<String> = world.local().uploads().into_iter().map(|upload| upload.key).collect();
    assert_eq!(uploads, [of_another.1]);
    assert!(world.local().get("bucket", FINAL).unwrap().content == whole(&slices));
}

/// Under SSE-KMS ETags are new each time; without CRCs, sizes and ETags are what is known.
#[tokio::test(start_paused = true)]
async fn under_a_kms_key_and_without_crcs_it_is_the_same() {
    for kms in [false, true] {
        for crcs in [false, true] {
            let mut slices = six(b'a');
            if !crcs {
                slices = slices.into_iter().map(|slice| slice.with_checksum(None)).collect();
            }
            let world = world(&slices).await;
            let arn = "arn:aws:kms:us-east-1:123456789012:key/final";
            let variables = [SINGLE[0], ("FINAL_KMS_KEY_ID", if kms { arn } else { "" })];
            world.local().judge(|request| {
                let is_last = request.operation == "CompleteMultipartUpload" && request.key == FINAL;
                is_last.then_some(Fault::Error(503, "SlowDown"))
            });
            world.run(&variables, &[MANIFEST]).await.unwrap_err();
            world.local().judge(|_| None);
            let left = intermediates(world.local());
            assert_eq!((left.len(), world.local().uploads().len()), (2, 1), "{kms} {crcs}");
            let key = world.local().get("bucket", &left[0]).unwrap().headers.kms_key_id;
            assert_eq!(key.as_deref(), kms.then_some(arn));
            world.local().take_requests();
            let receipt = world.receipt(&variables, MANIFEST).await;
            let proof = if crcs { Proof::Crc(Algorithm::Crc64Nvme) } else { Proof::Size };
            assert_eq!(receipt.written.unwrap().proof, proof, "{kms} {crcs}");
            assert!(!of_intermediates(&world).contains(&"UploadPartCopy"), "the open upload has all parts");
            right(&world, &slices);
        }
    }
}

/// The bucket's own default key, and a bucket of its own with Object Lock.
#[tokio::test(start_paused = true)]
async fn a_bucket_with_a_key_or_a_lock_takes_them() {
    for rules in [
        Rules { kms_key_id: Some("arn:aws:kms:us-east-1:123456789012:key/bucket".to_owned()), ..Rules::default() },
        Rules { is_locked: true, ..Rules::default() },
    ] {
        let slices = six(b'a');
        let world = world(&slices).await;
        let key = rules.kms_key_id.clone().unwrap_or_default();
        world.local().rule("bucket", rules);
        world.receipt(&[SINGLE[0], ("FinalBucketKmsKeyArn", &key)], MANIFEST).await;
        right(&world, &slices);
    }
}

/// An event on an intermediate object starts nothing, and its key can't be that of a final object.
#[tokio::test(start_paused = true)]
async fn an_event_on_an_intermediate_object_starts_nothing() {
    let world = world(&six(b'a')).await;
    let left = stopped(&world).await;
    let receipt = world.receipt(&SINGLE, &left[0]).await;
    assert_eq!(receipt.outcome, Outcome::Skipped);
    assert_eq!(receipt.reason.as_deref(), Some("not below UNLOAD_PREFIX=\"unload/\", an intermediate object"));
}

/// What a dry run says, with none of the intermediate objects there, with one, and with an open upload.
#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_the_run_then_does() {
    let slices = six(b'a');
    for stops in [None, Some(("UploadPartCopy", 2)), Some(("UploadPartCopy", 4)), Some(("UploadPartCopy", 7))] {
        for crcs in [true, false] {
            let slices: Vec<Object> = match crcs {
                true => slices.clone(),
                false => slices.iter().map(|slice| slice.clone().with_checksum(None)).collect(),
            };
            let world = world(&slices).await;
            if let Some((operation, nth)) = stops {
                let mut count = 0;
                world.local().judge(move |request| {
                    count += usize::from(request.operation == operation);
                    (request.operation == operation && count >= nth).then_some(Fault::Error(503, "SlowDown"))
                });
                world.run(&SINGLE, &[MANIFEST]).await.unwrap_err();
                world.local().judge(|_| None);
            }
            let (handler, deadline) = (world.handler(&SINGLE), Deadline::after(MAX_TIMEOUT));
            let demands =
                demands_of(&handler.settings, &handler.s3, &Uri::new("bucket", MANIFEST), None).await.unwrap();
            let Some(Demand::Job(job)) = demands.into_iter().next() else { panic!("no job") };
            let before = world.local().keys("bucket");
            let intent = dry_run(&handler.settings, &handler.s3.counting(), &job, &deadline).await.unwrap();
            assert_eq!(world.local().keys("bucket"), before);
            let receipt = run(&handler.settings, &handler.s3.counting(), &job, &deadline).await.unwrap();
            let Intent::Write(planned) = intent else { panic!("{receipt:?}") };
            let written = receipt.written.unwrap();
            let said = (planned.forecast.plan.parts.len(), planned.forecast.intermediates.len());
            assert_eq!(said, (written.parts, written.intermediates));
            let said = (planned.effort.requests, planned.effort.bytes_read);
            assert_eq!(said, (receipt.requests, written.bytes_through), "{stops:?} {crcs}");
            assert_eq!(planned.forecast.resumed > 0, stops.is_some(), "{stops:?}");
            right(&world, &slices);
        }
    }
}

/// The speed of a copy as it was measured, and 20 ms for any other request.
fn at_measured_speed(world: &World) {
    let local = world.local().clone();
    world.local().judge(move |request| {
        let Some(source) = &request.copy_source else { return Some(Fault::Late(Duration::from_millis(20))) };
        let length = match &request.copy_range {
            Some(range) => {
                let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
                last.parse::<u64>().ok()? - first.parse::<u64>().ok()?
            }
            None => local.get("bucket", source.strip_prefix("bucket/")?)?.content.length(),
        };
        Some(Fault::Late(Limits::AWS.time(length)))
    });
}

/// Tries of this time at the measured speed until it is done; how many.
async fn tries(world: World, count: usize, size: u64, time: Duration) -> usize {
    let letters: Vec<Object> = (b'a'..=b'z').map(|letter| slice(letter, size)).collect();
    let slices: Vec<Object> = letters.into_iter().cycle().take(count).collect();
    put(world.local(), &slices);
    at_measured_speed(&world);
    let (begun, mut tries, mut copies) = (Instant::now(), 1, 0);
    let count_copies =
        |world: &World| world.local().take_requests().iter().filter(|it| it.copy_source.is_some()).count();
    let answer = loop {
        match world.run_for(time, &SINGLE, &[MANIFEST]).await {
            Ok(answer) => break answer,
            Err(error) => {
                assert_eq!(error.kind(), "OutOfTime", "{error}");
                println!("{error}");
            }
        }
        tries += 1;
        assert!(tries < 30);
        copies += count_copies(&world);
        tokio::time::sleep(Duration::from_secs(90)).await;
    };
    copies += count_copies(&world);
    let written = answer.receipts[0].written.as_ref().unwrap();
    println!(
        "{count} slices of {} MiB: {tries} tries, {:.0} minutes, {copies} copies, {} requests in the last try, {} \
         intermediate objects, {} bytes through",
        size / M,
        begun.elapsed().as_secs_f64() / 60.0,
        answer.receipts[0].requests,
        written.intermediates,
        written.bytes_through,
    );
    assert_eq!(written.proof, Proof::Crc(Algorithm::Crc64Nvme));
    let length = serde_json::to_vec(&answer).unwrap().len();
    assert!(length < 6_000_000, "Lambda takes no longer answer: {length}");
    let local = world.local();
    assert_eq!((intermediates(local), local.uploads().len()), (Vec::new(), 0));
    assert!(local.get("bucket", FINAL).unwrap().content == whole(&slices));
    local.judge(|_| None);
    assert_eq!(merge(&world).await.outcome, Outcome::Unchanged);
    tries
}

#[tokio::test(start_paused = true)]
async fn a_merge_in_several_tries_goes_on_where_it_was() {
    let world = World::in_memory().await.with_max_parts(100);
    let tries = tries(world, 450, 8 * M, Duration::from_secs(30)).await;
    assert!((2..8).contains(&tries), "{tries}");
}

/// `COUNT=20000` takes so many slices, in as many tries as it needs.
#[tokio::test(start_paused = true)]
async fn ten_thousand_and_one_slices_become_one_object() {
    let count = std::env::var("COUNT").ok().and_then(|count| count.parse().ok());
    let tries = tries(World::in_memory().await, count.unwrap_or(10_001), 64 * M, MAX_TIMEOUT).await;
    assert!(tries == 1 || count.is_some(), "{tries}");
}
