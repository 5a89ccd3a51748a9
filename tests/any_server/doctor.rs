//! What `unload-header doctor` says of a server is what docs/stores.md says of it.

use std::collections::BTreeMap;

use serde_json::Value;
use support::World;
use tokio::process::Command;

const KMS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-1111-1111-111111111111";

/// The verdict on each thing that is relied on.
type Verdicts = BTreeMap<String, String>;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The columns of the table in docs/stores.md, by their names and versions.
fn documented() -> Vec<(String, Verdicts)> {
    let text = read("docs/stores.md");
    let row = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = text.lines().filter(|line| line.starts_with("| ")).map(row);
    let names = rows.next().unwrap();
    let rows: Vec<Vec<String>> = rows.collect();
    let columns = names.iter().enumerate().skip(1).take(names.len() - 2).map(|(at, name)| {
        let verdict = |row: &Vec<String>| row[at].split(':').next().unwrap().to_owned();
        (name.clone(), rows.iter().map(|row| (row[0].clone(), verdict(row))).collect())
    });
    columns.collect()
}

#[tokio::test]
async fn the_doctor_says_what_the_documentation_says() {
    let world = World::new().await;
    let done = Command::new(env!("CARGO_BIN_EXE_unload-header"))
        .args(["doctor", &format!("s3://{}/scratch", world.bucket), "--json", "--kms-key-id", KMS_KEY])
        .envs([("AWS_ENDPOINT_URL_S3", world.endpoint()), ("AWS_SECRET_ACCESS_KEY", support::secret())])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test")])
        .output()
        .await
        .unwrap();
    let lines = String::from_utf8(done.stdout).unwrap();
    let said: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found: Verdicts = said.iter().map(|line| (text(&line["relied_on"]), text(&line["verdict"]))).collect();
    let documented = documented();
    let expected = match std::env::var("TEST_S3_SERVER") {
        Ok(server) => {
            let column = documented.into_iter().find(|(name, _)| name.to_lowercase().starts_with(&server));
            column.unwrap_or_else(|| panic!("docs/stores.md has no {server}")).1
        }
        Err(_) => documented[0].1.keys().map(|name| (name.clone(), "kept".to_owned())).collect(),
    };
    assert_eq!(found, expected, "{lines}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(world.keys().await.is_empty());
}

#[test]
fn the_documentation_names_the_versions_that_are_installed() {
    let (pinned, documented) = (read("scripts/servers.in"), documented());
    for (name, verdicts) in &documented {
        let (name, version) = name.split_once(' ').unwrap();
        let line = pinned.lines().find(|line| line.starts_with(&name.to_lowercase()));
        assert!(line.is_some_and(|line| line.ends_with(&format!("=={version}"))), "{name} {version}: {line:?}");
        assert!(verdicts.values().all(|verdict| ["kept", "not kept"].contains(&verdict.as_str())), "{verdicts:?}");
    }
    assert_eq!(documented.len(), 4);
}
