//! A bucket with one source and the sidecar of its unload, and what happens to them.

use local_s3::store::Store;
use local_s3::{Content, Fault, Object};
use support::{MIB, World, rows};

pub const KEY: &str = "unload/q_0000_part_00";
pub const FINAL: &str = "final/q_0000_part_00";
pub const LARGE: u64 = 100 * MIB as u64;
/// Small and large: one PutObject, and a multipart upload.
pub const SIZES: [u64; 2] = [100, LARGE];

pub async fn world(size: u64) -> World {
    let world = World::in_memory().await;
    world.local().put("bucket", "unload/q_.headers", Object::new("idx,venue,name"));
    world.local().put("bucket", KEY, source(size));
    world
}

pub fn source(size: u64) -> Object {
    Object::new(Content::repeat(rows(MIB), size))
}

pub fn other(size: u64) -> Object {
    Object::new(Content::repeat("9|other|row\n".repeat(1_000), size))
}

/// Lets something happen just before the nth request of an operation.
pub fn meanwhile(world: &World, operation: &'static str, nth: usize, what: impl FnOnce(&mut Store) + Send + 'static) {
    world.local().fail(operation, nth, Fault::Meanwhile(Box::new(what)));
}

pub fn with_header(source: &Object) -> Content {
    let mut content = Content::from("idx|venue|name\n");
    content.append(&source.content);
    content
}

pub fn final_object(world: &World) -> Object {
    world.local().get("bucket", FINAL).expect("a final object")
}

pub fn operations(world: &World) -> Vec<&'static str> {
    world.local().take_requests().iter().map(|request| request.operation).collect()
}
