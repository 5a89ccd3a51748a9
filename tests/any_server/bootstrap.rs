//! The real binary, as Lambda runs it: over the Runtime API, with settings from the environment.

use serde_json::{Value, json};
use support::runtime::Function;
use support::{MIB, World, rows};

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");

#[tokio::test]
async fn an_event_becomes_a_final_object_a_receipt_and_a_log_line() {
    let world = World::new().await;
    let source = rows(12 * MIB);
    world.put("unload/q_.headers", "id,name,place").await;
    world.put("unload/q_0000_part_00", source.clone()).await;
    let mut function = Function::of(&world, BOOTSTRAP, &[("UNLOAD_OPTIONS", "FORMAT CSV DELIMITER '|'")]).await;
    let (how, answer) = function.invoke(world.created(&["unload/q_0000_part_00"])).await;
    assert_eq!(how, "response", "{answer}");
    let receipt = &answer["receipts"][0];
    assert_eq!(receipt["final"], format!("s3://{}/final/q_0000_part_00", world.bucket));
    assert_eq!(receipt["bytes_through"], 5 * MIB + "id,name,place".len());
    let result = world.get("final/q_0000_part_00").await.unwrap();
    assert!(result[..14] == *b"id|name|place\n" && result[14..] == source);

    let (how, answer) = function.invoke(json!({"Event": "s3:TestEvent", "Bucket": world.bucket})).await;
    assert_eq!((how.as_str(), answer), ("response", json!({"receipts": []})));

    let log = function.log().await;
    let line = log.iter().find(|line| line["fields"]["message"] == "receipt").unwrap_or_else(|| panic!("{log:#?}"));
    let fields = &line["fields"];
    for field in
        ["final", "outcome", "columns_from", "columns", "bytes", "bytes_through", "parts", "requests", "proof", "etag"]
    {
        assert_eq!(fields[field], receipt[field], "{field}: {fields}");
    }
    assert_eq!(fields["sources"], receipt["sources"][0]);
    assert_eq!(fields.get("reason"), None, "what does not apply is left out");
}

#[tokio::test]
async fn a_failure_reaches_lambda_with_its_type() {
    let world = World::new().await;
    world.put("unload/q_0000_part_00", "1\n").await;
    let mut function = Function::of(&world, BOOTSTRAP, &[]).await;
    let (how, error) = function.invoke(world.created(&["unload/q_0000_part_00"])).await;
    assert_eq!((how.as_str(), &error["errorType"]), ("error", &json!("ColumnsNotFound")));
    assert!(error["errorMessage"].as_str().unwrap().starts_with("no columns for s3://"), "{error}");
    let (how, error) = function.invoke(json!({"hello": "world"})).await;
    assert_eq!((how.as_str(), &error["errorType"]), ("error", &json!("InvalidEvent")));

    let log = function.log().await;
    let told: Vec<&Value> = log.iter().filter(|line| line.to_string().contains("no columns for")).collect();
    assert_eq!(told.len(), 1, "once, and to be read: {told:#?}");
}

#[tokio::test]
async fn a_wrong_setting_ends_it_at_once_and_says_which() {
    let function = Function::start(BOOTSTRAP, &[("UNLOAD_PREFIX", "unload/"), ("BOM", "yes")]).await;
    let (success, words) = function.end().await;
    assert!(!success);
    assert_eq!(words, "Error: the setting BOM=\"yes\" is wrong: allowed are on and off\n");
}
