//! The sample events: each through the handler, on the bucket that they are of.

use std::collections::BTreeSet;

use local_s3::Rules;
use serde_json::{Value, json};
use support::World;
use support::runtime::Function;
use support::template::Template;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::demo::{BUCKET, EVENTS, SINGLE, fill};
use unload_header::event::{self, Notice};
use unload_header::receipt::Outcome;
use unload_header::uri::Uri;

const ARTISTS: &str = "s3://my-unloads/final/by artist & city/eventname=ZZ Top/city=Köln+Bonn/0000_part_00";

/// A world with the samples' bucket, and the answer to one of them.
async fn answer(name: &str, output: &str) -> (World, Result<Vec<(Outcome, String)>, String>) {
    let mut world = World::in_process().await;
    world.bucket = BUCKET.to_owned();
    fill(world.local()).unwrap();
    let (_, _, json) = EVENTS.iter().find(|(it, ..)| *it == name).unwrap();
    let answer = world
        .handler(&[("OUTPUT", output)])
        .handle(&serde_json::from_str::<Value>(json).unwrap(), Deadline::after(MAX_TIMEOUT))
        .await;
    let answer = answer.map_err(|error| error.to_string()).map(|answer| {
        let short =
            |receipt: unload_header::receipt::Receipt| (receipt.outcome, receipt.final_uri.or(receipt.reason).unwrap());
        answer.receipts.into_iter().map(short).collect()
    });
    (world, answer)
}

fn text(world: &World, key: &str) -> String {
    String::from_utf8(world.local().get(BUCKET, key).unwrap().content.to_bytes().to_vec()).unwrap()
}

/// So that they show how few requests it takes.
#[tokio::test]
async fn samples_tell_what_is_in_their_bucket() {
    let (world, mut looked) = (World::in_process().await, 0);
    fill(world.local()).unwrap();
    for (name, _, json) in &EVENTS {
        let messages = event::parse(&serde_json::from_str::<Value>(json).unwrap()).messages;
        for notice in messages.into_iter().flat_map(|message| message.notices) {
            let Ok(Notice::Created { uri, seen: Some(seen) }) = notice else { continue };
            // What the function has written is not there yet.
            let Some(object) = world.local().get(BUCKET, &uri.key) else { continue };
            let told = (seen.size, seen.etag.unwrap());
            assert_eq!(told, (object.content.length(), object.etag.trim_matches('"').to_owned()), "{name}: {uri}");
            looked += 1;
        }
    }
    assert_eq!(looked, 21);
}

#[tokio::test]
async fn every_sample_does_what_it_is_there_to_show() {
    use Outcome::{Skipped, Written};
    let slices = ["0000", "0001", "0002"].map(|slice| format!("s3://my-unloads/final/allevents_{slice}_part_00"));
    let written = |keys: &[&str]| Ok(keys.iter().map(|key| (Written, (*key).to_owned())).collect::<Vec<_>>());
    let skipped = |reason: &str| Ok(vec![(Skipped, reason.to_owned())]);
    let all = slices.each_ref().map(String::as_str);
    let expected = [
        ("put", written(&all[..1])),
        ("multipart", written(&["s3://my-unloads/final/sales_0000_part_00"])),
        ("metadata", written(&["s3://my-unloads/final/category000"])),
        ("gzip", written(&["s3://my-unloads/final/venue_0000_part_00.gz"])),
        ("encoded-key", written(&[ARTISTS])),
        ("several", written(&all)),
        ("sidecar", written(&all)),
        (
            "manifest-verbose",
            written(&["s3://my-unloads/final/date2008_0000_part_00", "s3://my-unloads/final/date2008_0001_part_00"]),
        ),
        ("manifest-plain", skipped("a manifest without column names; it is not VERBOSE")),
        ("removed", skipped("ObjectRemoved:Delete creates no object")),
        ("outside-prefix", skipped("not below UNLOAD_PREFIX=\"unload/\"")),
        ("own-output", skipped("not below UNLOAD_PREFIX=\"unload/\", a final object")),
        ("directory-marker", skipped("a directory marker")),
        ("test-event", Ok(Vec::new())),
        ("sns", written(&all[..1])),
        ("sqs", written(&all[..2])),
        ("eventbridge", written(&[ARTISTS])),
        ("batch-operations", written(&all[..1])),
        ("batch-operations-2", written(&[ARTISTS])),
        ("failed-event", written(&all[..1])),
    ];
    for (name, expected) in &expected {
        let (_, answer) = answer(name, "each").await;
        assert_eq!(&answer, expected, "{name}");
    }
    let (_, error) = answer("no-columns", "each").await;
    assert!(error.unwrap_err().starts_with("no columns for s3://my-unloads/unload/forgotten_0000_part_00: looked at"));
    let shown: BTreeSet<_> = expected.iter().map(|(name, _)| *name).chain(["no-columns"]).collect();
    assert_eq!(shown, EVENTS.iter().map(|(name, ..)| *name).collect(), "no sample is left out");
}

#[tokio::test]
async fn the_samples_results_read_as_they_should() {
    let (world, _) = answer("put", "each").await;
    let expected =
        "eventid|venueid|catid|dateid|eventname|starttime\n1|305|8|1851|Gotterdammerung|2008-01-25 14:30:00\n";
    assert!(text(&world, "final/allevents_0000_part_00").starts_with(expected));
    let (world, _) = answer("encoded-key", "each").await;
    let key = "final/by artist & city/eventname=ZZ Top/city=Köln+Bonn/0000_part_00";
    assert_eq!(text(&world, key), "eventid,\"seats, sold\"\n2131,18\n4711,9\n");
    let (world, _) = answer("several", "each").await;
    assert_eq!(text(&world, "final/allevents_0002_part_00"), "eventid|venueid|catid|dateid|eventname|starttime\n");
}

#[tokio::test]
async fn the_same_samples_make_one_object_each() {
    for (name, expected) in [
        ("manifest-verbose", "dateid|caldate|day\n1827|2008-01-01|WE\n1828|2008-01-02|TH\n"),
        ("manifest-plain", "eventid|venueid|catid|dateid|eventname|starttime\n1|305|8|1851|"),
    ] {
        assert!(SINGLE.iter().any(|(it, _)| *it == name));
        let (world, answer) = answer(name, "single").await;
        let (outcome, uri) = answer.unwrap().remove(0);
        assert_eq!(outcome, Outcome::Written);
        let found = text(&world, uri.strip_prefix("s3://my-unloads/").unwrap());
        assert!(found.starts_with(expected), "{uri}: {found}");
    }
    assert_eq!(SINGLE.len(), 2, "no sample is left out");
}

/// Each by the real binary over the Runtime API, in the form that whoever sends it expects.
#[tokio::test]
async fn every_sample_is_answered_in_its_senders_form() {
    let mut world = World::in_process().await;
    world.bucket = BUCKET.to_owned();
    fill(world.local()).unwrap();
    let mut function = Function::of(&world, env!("CARGO_BIN_EXE_bootstrap"), &[]).await;
    for (name, _, json) in EVENTS {
        let (how, answer) = function.invoke(serde_json::from_str(json).unwrap()).await;
        let codes = || answer["results"].as_array().unwrap().iter().map(|it| it["resultCode"].clone());
        match name {
            "no-columns" => assert_eq!((how.as_str(), &answer["errorType"]), ("error", &json!("ColumnsNotFound"))),
            "sqs" => {
                let failed = json!([{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661970000002"}]);
                assert_eq!((how.as_str(), answer), ("response", json!({"batchItemFailures": failed})));
            }
            "batch-operations" => {
                let result = json!({
                    "taskId": "dGFza2lk1",
                    "resultCode": "Succeeded",
                    "resultString": "unchanged: s3://my-unloads/final/allevents_0000_part_00",
                });
                let expected = json!({
                    "invocationSchemaVersion": "1.0",
                    "treatMissingKeysAs": "PermanentFailure",
                    "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
                    "results": [result],
                });
                assert_eq!((how.as_str(), answer), ("response", expected));
            }
            "batch-operations-2" => {
                assert_eq!(codes().collect::<Vec<_>>(), ["Succeeded", "PermanentFailure"], "{answer}");
                assert_eq!(answer["invocationSchemaVersion"], "2.0");
            }
            _ => assert!(how == "response" && answer["receipts"].is_array(), "{name}: {answer}"),
        }
    }
    let log = function.log().await;
    let told = |line: &&Value| line["fields"]["error_type"] == "ColumnsNotFound";
    assert_eq!(
        log.iter().filter(told).count(),
        2,
        "what SQS and S3 Batch Operations are told of is in the log as well"
    );
}

/// What the template's dashboard and alarms show is what the function writes.
#[tokio::test]
async fn the_templates_metrics_are_those_that_are_written() {
    let mut world = World::in_process().await;
    world.bucket = BUCKET.to_owned();
    fill(world.local()).unwrap();
    let mut function = Function::of(&world, env!("CARGO_BIN_EXE_bootstrap"), &[]).await;
    for (_, _, json) in EVENTS.iter().filter(|(name, ..)| ["put", "no-columns"].contains(name)) {
        function.invoke(serde_json::from_str(json).unwrap()).await;
    }
    let mut written = BTreeSet::new();
    for line in function.log().await.iter().filter_map(|line| line.pointer("/_aws/CloudWatchMetrics/0")) {
        assert_eq!(line["Namespace"], "UnloadHeader");
        for set in line["Dimensions"].as_array().unwrap() {
            let names: Vec<&str> = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let metrics = line["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap());
            written.extend(metrics.map(|metric| (metric.to_owned(), names.join(","))));
        }
    }
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    let quoted = |text: &str| text.split('"').next().unwrap().to_owned();
    let own = template.split("[\"UnloadHeader\", \"").skip(1).map(|rest| (quoted(rest), "FunctionName".to_owned()));
    let found = template.split("SEARCH('{UnloadHeader,").skip(1).map(|rest| {
        let (dimensions, rest) = rest.split_once('}').unwrap();
        (quoted(rest.split_once("MetricName=\\\"").unwrap().1).trim_end_matches('\\').to_owned(), dimensions.to_owned())
    });
    let of_alarm = template.split("Namespace: UnloadHeader\n      MetricName: ").skip(1);
    let of_alarm = of_alarm.map(|rest| (rest.lines().next().unwrap().to_owned(), "FunctionName".to_owned()));
    let shown: BTreeSet<(String, String)> = own.chain(found).chain(of_alarm).collect();
    assert!(shown.len() >= 7, "{shown:?}");
    for metric in &shown {
        assert!(written.contains(metric), "{metric:?} is not among what the function has written: {written:#?}");
    }
}

/// Under the role that the template makes for them.
#[tokio::test]
async fn every_deployment_writes_the_samples() {
    let all = |output: &str| match output {
        "single" => vec!["manifest-verbose", "manifest-plain", "sidecar"],
        _ => vec!["put", "multipart", "metadata", "gzip", "encoded-key", "several", "sidecar", "manifest-verbose"],
    };
    let finals = ["", "my-finals"];
    let keys = ["", "with/header/"];
    let [source, of_final] = ["source", "final"].map(|key| format!("arn:aws:kms:eu-central-1:123456789012:key/{key}"));
    // The keys of the sources and of the final objects, and whether the latter is their bucket's default.
    let kms = [("", "", false), ("", &of_final, false), (&source, &of_final, true)];
    for output in ["each", "single"] {
        for index in 0..24 {
            let [bucket, key] = [finals[index & 1], keys[index >> 1 & 1]];
            let (delete, (source, of_final, is_default)) = (["off", "on"][index >> 2 & 1], kms[index / 8]);
            let placeholder = if output == "single" { "{unload}.csv{compression}" } else { "{path}" };
            let final_key = if key.is_empty() { String::new() } else { format!("{key}{placeholder}") };
            let template = Template::with(&[
                ("BucketName", BUCKET),
                ("Output", output),
                ("FinalBucketName", bucket),
                ("FinalKey", &final_key),
                ("SourceKmsKeyArn", source),
                (if is_default { "FinalBucketKmsKeyArn" } else { "FinalKmsKeyArn" }, of_final),
                ("DeleteSource", delete),
            ]);
            let variables = template.variables();
            let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let default = if is_default { of_final } else { "" };
            let keys = [("SourceKmsKeyArn", source), ("FinalBucketKmsKeyArn", default)];
            let variables: Vec<_> = variables.chain(keys).collect();
            for name in all(output) {
                let mut world = World::in_process().await;
                world.bucket = BUCKET.to_owned();
                fill(world.local()).unwrap();
                for key in world.local().keys(BUCKET).into_iter().filter(|_| !source.is_empty()) {
                    let mut object = world.local().get(BUCKET, &key).unwrap();
                    object.headers.kms_key_id = Some(source.to_owned());
                    world.local().put(BUCKET, &key, object);
                }
                if is_default {
                    let rules = Rules { kms_key_id: Some(of_final.to_owned()), ..Rules::default() };
                    world.local().rule(if bucket.is_empty() { BUCKET } else { bucket }, rules);
                }
                let (_, _, json) = EVENTS.iter().find(|(it, ..)| *it == name).unwrap();
                let event = serde_json::from_str::<Value>(json).unwrap();
                let answer = world.handler(&variables).handle(&event, Deadline::after(MAX_TIMEOUT)).await;
                let answer = answer.unwrap_or_else(|error| panic!("{name}, {variables:?}: {error}"));
                for receipt in answer.receipts {
                    assert_eq!(receipt.outcome, Outcome::Written, "{name}, {variables:?}: {receipt:?}");
                    let uri = Uri::parse(&receipt.final_uri.unwrap()).unwrap();
                    assert!(world.local().get(&uri.bucket, &uri.key).is_some(), "{uri}");
                }
            }
        }
    }
}

/// The folder and the list are the same, so that `make invoke` and the demo show all there is.
#[test]
fn every_file_is_a_sample() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/events")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, EVENTS.iter().map(|(name, ..)| format!("{name}.json")).collect());
}
