//! FINAL_MANIFEST=on, and a reader that goes by the manifest of the final objects.

use serde_json::Value;
use support::{World, manifest};

const ON: (&str, &str) = ("FINAL_MANIFEST", "on");

#[tokio::test]
async fn all_files_are_read_by_the_manifest_of_the_final_objects() {
    for (output, key) in [("each", "final/q_0001_part_00"), ("single", "final/q.csv")] {
        let world = World::new().await;
        let slices = [("unload/q_0000_part_00", "1|a\n"), ("unload/q_0001_part_00", "2|b\n3|c\n")];
        for (key, rows) in slices {
            world.put(key, rows).await;
        }
        let text = manifest(&world.bucket, &slices.map(|(key, rows)| (key, rows.len() as u64)), &["id", "name"]);
        let mut text: Value = serde_json::from_str(&text).unwrap();
        for (index, rows) in [1, 2].into_iter().enumerate() {
            text["entries"][index]["meta"]["record_count"] = rows.into();
        }
        world.put("unload/q_manifest", text.to_string()).await;
        for outcome in ["written", "unchanged"] {
            let answer = world.run(&[ON, ("OUTPUT", output)], &["unload/q_manifest"]).await.unwrap();
            assert_eq!(answer.receipts.last().unwrap().outcome.name(), outcome);
        }
        let found: Value = serde_json::from_str(&world.text("final/q_manifest").await).unwrap();
        assert_eq!(found["meta"]["record_count"], 3);
        let last = found["entries"].as_array().unwrap().last().unwrap();
        assert_eq!(last["url"], format!("s3://{}/{key}", world.bucket));
        world.read_by("tests/any_server/listed.py", "final/q_manifest").await;
    }
}
