//! docs/troubleshooting.md has the function's own messages: each of its cases is brought about here.

use std::collections::BTreeSet;

use local_s3::Object;
use support::{MIB, World, manifest};
use unload_header::unload::Compression;

/// UNLOAD_OPTIONS, or what else is set; a sidecar, unless it is empty; one source, or the slices of a merge.
type Case = (Vec<(&'static str, &'static str)>, &'static str, Vec<Object>);

fn member(compression: Compression, text: &str) -> Object {
    Object::new(compression.member(text.as_bytes()).unwrap())
}

fn options(sql: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("UNLOAD_OPTIONS", sql)]
}

fn single(sql: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("OUTPUT", "single"), ("UNLOAD_OPTIONS", sql)]
}

/// The kind and the message of what is wrong, in a bucket of the document's name.
async fn brought_about((variables, columns, sources): Case) -> (String, String) {
    let world = World::in_memory().await;
    let local = world.local();
    let keys: Vec<String> = (0..sources.len()).map(|number| format!("unload/q_{number:04}_part_00")).collect();
    let mut entries = Vec::new();
    for (key, source) in keys.iter().zip(sources) {
        entries.push((key.as_str(), source.content.length()));
        local.put(&world.bucket, key, source);
    }
    if !columns.is_empty() {
        local.put(&world.bucket, "unload/q_.headers", Object::new(columns));
    }
    let is_single = variables.contains(&("OUTPUT", "single"));
    local.put(&world.bucket, "unload/q_manifest", Object::new(manifest(&world.bucket, &entries, &[])));
    let event = if is_single { "unload/q_manifest" } else { &keys[0] };
    let error = world.run(&variables, &[event]).await.expect_err(&format!("{variables:?}, {columns}"));
    assert!(!world.keys().await.iter().any(|key| key.starts_with("final/")), "{error}");
    (error.kind(), error.to_string().replace("s3://bucket/", "s3://my-unloads/"))
}

/// The kind and the message of what is wrong among several unloads, which are put into the bucket a minute apart.
async fn brought_about_by(event: &str, variables: &[(&str, &str)], unloads: &[&[(&str, &str)]]) -> (String, String) {
    let world = World::in_memory().await;
    for objects in unloads {
        for (key, text) in *objects {
            world.local().put("bucket", key, Object::new((*text).to_owned()));
            // Events of what came before, which are not what the message is of.
            drop(world.run(variables, &[key]).await);
        }
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
    let error = world.run(variables, &[event]).await.expect_err(event);
    (error.kind(), error.to_string().replace("s3://bucket/", "s3://my-unloads/"))
}

async fn of_several_unloads() -> Vec<(String, String)> {
    let listed = |key| manifest("bucket", &[(key, 2)], &["id"]);
    let (q, folder, slice) = (listed("unload/q_000"), listed("unload/q/000"), listed("unload/q_0000_part_00"));
    let single = [("OUTPUT", "single")];
    vec![
        brought_about_by(
            "unload/q1/year=2026/000",
            &[],
            &[&[("unload/q1.headers", "id"), ("unload/q1/.headers", "id"), ("unload/q1/year=2026/000", "1\n")]],
        )
        .await,
        brought_about_by("unload/q1000", &[], &[&[("unload/q000", "1\n"), ("unload/q1000", "1\n")]]).await,
        brought_about_by(
            "unload/q/manifest",
            &single,
            &[
                &[("unload/q_000", "1\n"), ("unload/q_manifest", &q)],
                &[("unload/q/000", "2\n"), ("unload/q/manifest", &folder)],
            ],
        )
        .await,
        brought_about_by(
            "unload/q_manifest",
            &single,
            &[&[("unload/q_manifest", &slice)], &[("unload/q_0000_part_00", "2\n")]],
        )
        .await,
        brought_about_by("unload/q_manifest", &single, &[&[("unload/q_manifest", &slice)]]).await,
    ]
}

#[tokio::test(start_paused = true)]
async fn every_message_is_the_functions_own() {
    use Compression::{Gzip, Zstd};
    let rows = || Object::new("1|Salome\n");
    let endless = || Object::new(format!("1,\"{}", "Salome\n".repeat(MIB)));
    #[rustfmt::skip]
    let cases: Vec<Case> = vec![
        (options(""), "", vec![rows()]),
        (single("HEADER"), "", vec![Object::new(""), Object::new("")]),
        (options(""), "id,,name", vec![rows()]),
        (options(""), "[\"id\", name]", vec![rows()]),
        (options(""), " ", vec![rows()]),
        (options(""), "id,name\ncity\n", vec![rows()]),
        (options(""), "# of sales\nid\nname\n", vec![rows()]),
        (options(""), "id,\"full name\n", vec![rows()]),
        (options(""), "{\"columns\": [\"id\"], \"options\": \"CREDENTIALS 'aws_secret_access_key=x' GZIPP\"}", vec![rows()]),
        (options(""), "{\"columns\": [\"id\"], \"options\": \"CSV ADDQUOTES\"}", vec![rows()]),
        (options("GZIP"), "id,name", vec![rows()]),
        (options("DELIMITER '|'"), "id,name", vec![member(Gzip, "1|Salome\n")]),
        (options("BZIP2"), "id,name", vec![member(Zstd, "1|Salome\n")]),
        (single(""), "id,name", vec![member(Gzip, "1|Salome\n"), rows()]),
        (options(""), "id,name,city", vec![rows()]),
        (vec![("SHOW_RECORD", "on")], "id,name,city", vec![rows()]),
        (options("FIXEDWIDTH 'id:4,name:10'"), "id,name", vec![Object::new("1  Salome\n")]),
        (options(""), "id,name", vec![Object::new("{\"id\":1,\"name\":\"Salome\"}\n")]),
        (options("CSV"), "id,name", vec![endless()]),
        (options("PARALLEL OFF"), "id,name", vec![Object::new("id|name\n1|Salome\n")]),
        (options("FIXEDWIDTH 'id:4,name:10'"), "number,name", vec![Object::new("1   Salome    \n")]),
        (options("FIXEDWIDTH 'id:4,name:10'"), "id,name,city", vec![Object::new("1   Salome    \n")]),
        (options("FIXEDWIDTH 'id:4,name:10'"), "[\"id\", \"a\\nb\"]", vec![Object::new("1   Salome    \n")]),
        (options(""), "id,a|b", vec![rows()]),
        (options(""), "[\"id\", \"a\\nb\"]", vec![rows()]),
        (options("ADDQUOTES"), "[\"id\", \"5\\\" pipes\"]", vec![rows()]),
        (options("FIXEDWIDTH 'id:6000000'"), "id", vec![rows()]),
        (single("HEADER"), "", vec![Object::new("x".repeat(6 * MIB)), rows()]),
        (options("HEADER GZIP"), "number,title", vec![member(Gzip, "id|name\n1|Salome\n")]),
        (options(""), "id,name", vec![member(Gzip, "\u{feff}1|Salome\n")]),
        (single("HEADER"), "number,title", vec![Object::new("id|name\n1|Salome\n"), rows()]),
        (options(""), "id,name", vec![rows().with_metadata("x-amz-key", "…")]),
        (options(""), "id,name", vec![rows().archived("GLACIER", false)]),
    ];
    let mut expected = BTreeSet::new();
    for case in cases {
        expected.insert(brought_about(case).await);
    }
    expected.extend(of_several_unloads().await);

    let document = std::fs::read_to_string("docs/troubleshooting.md").unwrap();
    let (mut kind, mut is_message, mut documented) = ("", false, BTreeSet::new());
    for line in document.lines() {
        match line.strip_prefix("### ") {
            Some(heading) => kind = heading,
            None if line.starts_with("```") => is_message = line == "```text",
            None if is_message => drop(documented.insert((kind.to_owned(), line.to_owned()))),
            None => (),
        }
    }
    let missing: Vec<_> = expected.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md lacks {missing:#?}");
    let more: Vec<_> = documented.difference(&expected).collect();
    assert!(more.is_empty(), "docs/troubleshooting.md has what nobody says: {more:#?}");
}
