//! What S3 copies, and what it need not copy again, on any S3 server.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use support::{MIB, World, rows};
use unload_header::receipt::Outcome;

/// The least that is copied, sizes around the parts' minimum, and many parts.
#[tokio::test]
async fn a_large_object_is_header_and_source() {
    let world = World::new().await;
    world.put("unload/.headers", "a,b,c\n").await;
    for size in [5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 37 * MIB + 3] {
        let source = rows(size);
        world.put("unload/0000_part_00", source.clone()).await;
        let receipt = world.receipt(&[], "unload/0000_part_00").await;
        let written = receipt.written.unwrap();
        assert_eq!(written.bytes, size as u64 + 6);
        assert_eq!(written.bytes_through, size.min(5 * MIB) as u64 + 6, "the sidecar as well");
        assert!(receipt.requests <= written.parts as u64 + 10, "{} requests", receipt.requests);
        let result = world.get("final/0000_part_00").await.unwrap();
        assert!(result[..6] == *b"a|b|c\n" && result[6..] == source, "{size}");
    }
}

/// Keys that an encoder, a decoder or a signer might get wrong; large, so that they are copied from.
#[tokio::test]
async fn odd_keys_are_copied_from_and_to() {
    let world = World::new().await;
    for key in [
        "unload/a b+c&d=e%20/eventname=ZZ Top/q 0000_part_00",
        "unload/größe-日本/(q)'0000_part_00",
        "unload/a?b#c:d@e,f;000",
    ] {
        let source = rows(6 * MIB);
        world.put(&format!("{key}.headers"), "x,y,z").await;
        world.put(key, source.clone()).await;
        let receipt = world.receipt(&[], key).await;
        assert_eq!(receipt.written.unwrap().parts, 2, "{key}");
        let result = world.get(&key.replacen("unload/", "final/", 1)).await.unwrap();
        assert!(result[..6] == *b"x|y|z\n" && result[6..] == source, "{key}");
    }
}

#[tokio::test]
async fn what_is_copied_is_not_copied_again() {
    let world = World::new().await;
    world.put("unload/q_.headers", "a,b,c").await;
    for (key, size) in [("unload/q_000", 100), ("unload/q_001", 6 * MIB)] {
        world.put(key, rows(size)).await;
        let first = world.receipt(&[], key).await;
        let again = world.receipt(&[], key).await;
        assert_eq!((first.outcome, again.outcome), (Outcome::Written, Outcome::Unchanged), "{key}");
        assert_eq!(again.requests, 4, "{key}");
        let (first, again) = (first.written.unwrap(), again.written.unwrap());
        assert_eq!((first.etag, first.proof), (again.etag, again.proof));
        world.put(key, rows(size + 1)).await;
        assert_eq!(world.receipt(&[], key).await.outcome, Outcome::Written, "other rows");
    }
}

/// What an upload that is left to the next try is marked with is never completed with the others.
#[tokio::test]
async fn a_part_that_is_not_listed_is_left_out() {
    let world = World::new().await;
    let (client, bucket) = (&world.client, &world.bucket);
    let upload = client.create_multipart_upload().bucket(bucket).key("key").send().await.unwrap().upload_id.unwrap();
    let part = async |number, body: &'static str| {
        let part = client.upload_part().bucket(bucket).key("key").upload_id(&upload).part_number(number);
        part.body(body.as_bytes().to_vec().into()).send().await.unwrap().e_tag.unwrap()
    };
    let etag = part(1, "all of it").await;
    part(10_000, "not this").await;
    let parts = client.list_parts().bucket(bucket).key("key").upload_id(&upload).send().await.unwrap();
    let numbers: Vec<_> = parts.parts().iter().filter_map(|part| part.part_number).collect();
    assert_eq!(numbers, [1, 10_000]);
    let listed = CompletedPart::builder().part_number(1).e_tag(etag).build();
    let listed = CompletedMultipartUpload::builder().parts(listed).build();
    let complete = client.complete_multipart_upload().bucket(bucket).key("key").upload_id(&upload);
    complete.multipart_upload(listed).send().await.unwrap();
    assert_eq!(world.text("key").await, "all of it");
}
