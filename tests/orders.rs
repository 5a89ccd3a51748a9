//! In whatever order the objects of an unload arrive, and however often their events do, the final
//! objects are the same.

mod support;

use local_s3::store::Headers;
use local_s3::{Content, Object};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{World, rows};

/// All that an unload, and the app that began it, may write. Each place that names columns has other names.
fn objects(sidecar: bool, of_slice: bool, manifest: bool) -> Vec<(&'static str, Object)> {
    let slices = ["unload/q_0000_part_00", "unload/q_0001_part_00", "unload/q_0002_part_00"];
    let entries: Vec<String> =
        slices.iter().map(|slice| format!(r#"{{"url":"s3://bucket/{slice}","mandatory":true}}"#)).collect();
    let schema = r#"{"elements":[{"name":"m1"},{"name":"m2"},{"name":"m3"}]}"#;
    let verbose = format!(r#"{{"entries":[{}],"schema":{schema}}}"#, entries.join(","));
    let mut objects =
        vec![(slices[0], Object::new("1|a|b\n")), (slices[1], Object::new("")), (slices[2], Object::new(rows(1_000)))];
    objects.extend(sidecar.then(|| ("unload/q_.headers", Object::new("s1,s2,s3"))));
    objects.extend(of_slice.then(|| ("unload/q_0001_part_00.headers", Object::new("o1,o2,o3"))));
    objects.extend(manifest.then(|| ("unload/q_manifest", Object::new(verbose))));
    objects
}

/// Objects arrive, and events are delivered, in the order of `steps`, each of which names an object:
/// the first time it arrives, then its event does. What is left out follows at the end. An event that
/// failed comes again, as Lambda sees to, when the others are done.
async fn finals(objects: &[(&'static str, Object)], steps: &[usize]) -> Vec<(String, Content, Headers)> {
    let world = World::in_memory().await;
    let local = world.local();
    let mut delivered = vec![0; objects.len()];
    let mut failed = Vec::new();
    let rest = (0..objects.len()).flat_map(|object| [object, object]);
    for object in steps.iter().copied().chain(rest) {
        let (key, stored) = &objects[object];
        if local.get("bucket", key).is_none() {
            local.put("bucket", key, stored.clone());
            continue;
        }
        delivered[object] += 1;
        failed.extend(world.run(&[], &[key]).await.is_err().then_some(*key));
    }
    assert!(delivered.iter().all(|times| *times > 0), "each event is delivered once at least");
    for key in failed {
        world.run(&[], &[key]).await.unwrap();
    }
    assert!(local.uploads().is_empty());
    let finals = local.keys("bucket").into_iter().filter(|key| key.starts_with("final/"));
    let stored = finals.map(|key| (local.get("bucket", &key).unwrap(), key));
    stored.map(|(object, key)| (key, object.content, object.headers)).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// 240 orders, 40 for each set of places.
#[test]
fn the_final_objects_are_the_same() {
    for (sidecar, of_slice, manifest) in [
        (true, false, false),
        (true, true, false),
        (true, false, true),
        (true, true, true),
        (false, false, true),
        (false, true, true),
    ] {
        let objects = objects(sidecar, of_slice, manifest);
        let expected = block_on(finals(&objects, &[]));
        assert_eq!(expected.len(), 3);
        let mut orders = TestRunner::new(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() });
        let steps = proptest::collection::vec(0..objects.len(), 0..30);
        let same = |steps: Vec<usize>| {
            prop_assert!(block_on(finals(&objects, &steps)) == expected, "{steps:?}");
            Ok(())
        };
        orders.run(&steps, same).unwrap();
    }
}

#[test]
fn the_nearest_place_names_the_columns() {
    let names = |sidecar, of_slice, manifest| {
        let finals = block_on(finals(&objects(sidecar, of_slice, manifest), &[]));
        let name = |content: &Content| String::from_utf8(content.slice(0, 2).to_bytes().to_vec()).unwrap();
        finals.iter().map(|(_, content, _)| name(content)).collect::<Vec<_>>()
    };
    assert_eq!(names(false, false, true), ["m1", "m1", "m1"]);
    assert_eq!(names(true, false, true), ["s1", "s1", "s1"]);
    assert_eq!(names(true, true, true), ["s1", "o1", "s1"]);
}
