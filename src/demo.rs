//! A bucket like one that Redshift has unloaded to, on the S3 in memory: the bucket of the sample events
//! in `events/`. The Lambda function is built without it.

use std::io;

use local_s3::{Content, LocalS3, Object};

use crate::unload::Compression;

/// The bucket's name.
pub const BUCKET: &str = "my-unloads";

/// The sample events by name, with what each of them shows.
pub const EVENTS: [(&str, &str, &str); 21] = [
    ("put", "a small object; its unload's sidecar names the columns", include_str!("../events/put.json")),
    ("multipart", "64 MiB, of which 5 pass through the function", include_str!("../events/multipart.json")),
    ("metadata", "the object's own metadata names the columns", include_str!("../events/metadata.json")),
    ("gzip", "a compressed object gets a compressed header", include_str!("../events/gzip.json")),
    ("encoded-key", "PARTITION BY, and a key as S3 encodes it", include_str!("../events/encoded-key.json")),
    ("several", "several records, one of an empty slice", include_str!("../events/several.json")),
    ("sidecar", "a sidecar that came last does what is not done", include_str!("../events/sidecar.json")),
    ("manifest-verbose", "a verbose manifest does its entries", include_str!("../events/manifest-verbose.json")),
    ("manifest-plain", "a plain manifest has no column names", include_str!("../events/manifest-plain.json")),
    ("no-columns", "the columns are named nowhere: the call fails", include_str!("../events/no-columns.json")),
    ("removed", "not an object that was created", include_str!("../events/removed.json")),
    ("outside-prefix", "not below UNLOAD_PREFIX", include_str!("../events/outside-prefix.json")),
    ("own-output", "what the function itself has written", include_str!("../events/own-output.json")),
    ("directory-marker", "a folder, as consoles make it", include_str!("../events/directory-marker.json")),
    ("test-event", "what S3 sends when notifications are set up", include_str!("../events/test-event.json")),
    ("sns", "by SNS: the answer is the same", include_str!("../events/sns.json")),
    ("sqs", "five messages of an SQS queue, one of which fails", include_str!("../events/sqs.json")),
    ("eventbridge", "by EventBridge, whose keys are as they are", include_str!("../events/eventbridge.json")),
    ("batch-operations", "S3 Batch Operations, schema 1.0", include_str!("../events/batch-operations.json")),
    ("batch-operations-2", "schema 2.0; one task fails", include_str!("../events/batch-operations-2.json")),
    ("failed-event", "what Lambda keeps of an event that has failed", include_str!("../events/failed-event.json")),
];

/// The samples that show OUTPUT=single as well, with what they show then.
pub const SINGLE: [(&str, &str); 2] = [
    ("manifest-verbose", "all slices of an unload become one object"),
    ("manifest-plain", "a plain manifest starts it, too; the sidecar names the columns"),
];

/// Puts the bucket's objects there. Rows are those of AWS's sample database TICKIT.
pub fn fill(s3: &LocalS3) -> io::Result<()> {
    let put = |key: &str, object: Object| s3.put(BUCKET, key, object);
    let events = "1|305|8|1851|Gotterdammerung|2008-01-25 14:30:00\n2|306|8|2114|Boris Godunov|2008-10-15 20:00:00\n";
    put("unload/allevents_.headers", Object::new("eventid,venueid,catid,dateid,eventname,starttime\n"));
    put("unload/allevents_0000_part_00", Object::new(events));
    put("unload/allevents_0001_part_00", Object::new("3|302|8|1935|Salome|2008-04-19 14:30:00\n"));
    put("unload/allevents_0002_part_00", Object::new(""));
    put(
        "unload/allevents_manifest",
        Object::new(manifest("unload/allevents_000", &["0_part_00", "1_part_00", "2_part_00"], &[])),
    );

    let sales: String = (1..20_000).map(|id| format!("{id}|36861|21191|7872|1875|4|{}.00\n", 100 + id % 900)).collect();
    let columns = r#"["salesid", "listid", "sellerid", "eventid", "dateid", "qtysold", "pricepaid"]"#;
    put("unload/sales_.headers", Object::new(columns));
    // As it came in eight parts.
    let sales = Object::new(Content::repeat(sales, 64 << 20));
    put("unload/sales_0000_part_00", Object { etag: format!("{}-8", sales.etag), ..sales });

    let category = Object::new("1|Sports|MLB|Major League Baseball\n2|Sports|NHL|National Hockey League\n");
    put("unload/category000", category.with_metadata("headers", "catid,catgroup,catname,catdesc"));

    put("unload/venue_.headers", Object::new("venueid\nvenuename\nvenuecity\n"));
    let venues = Compression::Gzip.member(b"1|Toyota Park|Bridgeview\n2|Columbus Crew Stadium|Columbus\n")?;
    put("unload/venue_0000_part_00.gz", Object::new(venues));

    let artists = r#"{"columns": ["eventid", "seats, sold"], "options": "FORMAT CSV PARTITION BY (eventname, city)"}"#;
    put("unload/by artist & city.headers", Object::new(artists));
    put("unload/by artist & city/eventname=ZZ Top/city=Köln+Bonn/0000_part_00", Object::new("2131,18\n4711,9\n"));

    let dates = ["1827|2008-01-01|WE\n", "1828|2008-01-02|TH\n"];
    put("unload/date2008_0000_part_00", Object::new(dates[0]));
    put("unload/date2008_0001_part_00", Object::new(dates[1]));
    put(
        "unload/date2008_manifest",
        Object::new(manifest("unload/date2008_000", &["0_part_00", "1_part_00"], &["dateid", "caldate", "day"])),
    );

    put("unload/forgotten_0000_part_00", Object::new("1|nobody knows what\n"));
    put("unload/2026/", Object::new(""));
    put("reports/2026.csv", Object::new("month,revenue\n"));
    Ok(())
}

/// A manifest of these objects; VERBOSE, if it has columns.
fn manifest(prefix: &str, objects: &[&str], columns: &[&str]) -> String {
    let entries: Vec<_> =
        objects.iter().map(|object| serde_json::json!({"url": format!("s3://{BUCKET}/{prefix}{object}")})).collect();
    let elements: Vec<_> =
        columns.iter().map(|name| serde_json::json!({"name": name, "type": {"base": "integer"}})).collect();
    let mut manifest = serde_json::json!({"entries": entries});
    if !elements.is_empty() {
        manifest["schema"] = serde_json::json!({"elements": elements});
        manifest["author"] = serde_json::json!({"name": "Amazon Redshift", "version": "1.0.0"});
    }
    format!("{manifest:#}")
}
