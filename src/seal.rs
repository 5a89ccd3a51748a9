//! The seal: what a final object was made of, in the object's own metadata. A job that is repeated reads it and knows
//! that its work is done; another job reads it and knows that the object is not its own.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::crc::{Algorithm, Crc};
use crate::receipt::Proof;
use crate::s3::{Attributes, Head, ObjectVersion};
use crate::unload::ManifestVersion;
use crate::uri::Uri;

/// The name of the metadata, after `x-amz-meta-`.
pub const KEY: &str = "unload-header";

/// A hash over the sources' ETags, the header and the attributes: all that decides what the final object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

/// Tells a job from others: the job of a data object, or of one folder of a manifest.
#[derive(Clone, Debug)]
pub struct JobId {
    /// 16 hexadecimal digits. Two ids with the same hash are equal.
    hash: String,
    /// For messages: the URI of the data object, or of the manifest and then the folder, percent-encoded. Only the end
    /// of it where it is long.
    name: String,
}

/// The text of the metadata is
/// `<fingerprint> <bytes> crc64nvme=<base64> manifest=<16 hexadecimal digits> columns=<count> job=<16 digits> of=<URI>`,
/// in which all but the first two are optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub fingerprint: Fingerprint,
    /// `None` on objects that older versions wrote.
    pub job: Option<JobId>,
    /// How many columns the header names.
    pub columns: Option<usize>,
    /// Of the final object, in bytes.
    pub size: u64,
    /// Of the final object, if those of its sources were known.
    pub crc: Option<Crc>,
    /// The version of the manifest that listed the sources, if one did.
    pub manifest_hash: Option<String>,
}

/// How much of a long URI a seal holds, in bytes: S3 allows 2 KB of user metadata in all.
const MAX_NAME: usize = 160;
/// What an HTTP header can't hold, and the space between the words of a seal.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"');

impl JobId {
    /// `folder` is empty for a data object, and for a manifest whose unload has no PARTITION BY.
    pub fn new(uri: &Uri, folder: &str) -> JobId {
        let whole = format!("{uri} {folder}");
        let mut name = utf8_percent_encode(whole.trim_end(), ENCODED).to_string();
        if let Some(start) = name.len().checked_sub(MAX_NAME + 1) {
            name.replace_range(..start + "...".len(), "...");
        }
        JobId { hash: short(&whole), name }
    }

    /// 16 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent_decode_str(&self.name).decode_utf8_lossy())
    }
}

impl PartialEq for JobId {
    fn eq(&self, other: &JobId) -> bool {
        self.hash == other.hash
    }
}

impl Eq for JobId {}

/// The version of a manifest: 16 hexadecimal digits.
pub fn manifest_hash(ManifestVersion { etag, modified }: &ManifestVersion) -> String {
    short(&format!("{etag} {modified}"))
}

fn short(text: &str) -> String {
    hex(&Sha256::digest(text)[..8])
}

impl Fingerprint {
    /// `header` is not compressed; that the sources are follows from their ETags. `cut` says that the sources' own
    /// headers are left out.
    pub fn of(sources: &[ObjectVersion], header: &[u8], cut: bool, attributes: &Attributes) -> Fingerprint {
        let mut sum = Sha256::new();
        let mut add = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_be_bytes());
            sum.update(bytes);
        };
        add(header);
        add(&[cut.into()]);
        sources.iter().for_each(|source| add(source.etag.as_bytes()));
        let mut metadata: Vec<_> = attributes.metadata.iter().collect();
        metadata.sort();
        for (name, value) in metadata {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        for attribute in [
            &attributes.content_type,
            &attributes.content_disposition,
            &attributes.content_encoding,
            &attributes.content_language,
            &attributes.cache_control,
            &attributes.expires,
            &attributes.kms_key_id,
        ] {
            add(attribute.as_deref().unwrap_or_default().as_bytes());
        }
        Fingerprint(hex(&sum.finalize()))
    }

    /// A hash over these texts, each with its length.
    pub fn over<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Fingerprint {
        let mut sum = Sha256::new();
        for text in texts {
            sum.update((text.as_ref().len() as u64).to_be_bytes());
            sum.update(text);
        }
        Fingerprint(hex(&sum.finalize()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Seal {
    /// The seal of an object, if it has one.
    pub fn on(head: &Head) -> Option<Seal> {
        Seal::parse(head.attributes.metadata.get(KEY)?)
    }

    fn parse(text: &str) -> Option<Seal> {
        let mut words = text.split(' ');
        let fingerprint = Fingerprint(words.next()?.to_owned());
        let size = words.next()?.parse().ok()?;
        let mut seal = Seal { fingerprint, job: None, columns: None, size, crc: None, manifest_hash: None };
        let (mut hash, mut job_name) = (None, String::new());
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match (Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name), name) {
                (Some(algorithm), _) => seal.crc = Crc::parse(algorithm, value),
                (None, "manifest") => seal.manifest_hash = Some(value.to_owned()),
                (None, "columns") => seal.columns = value.parse().ok(),
                (None, "job") => hash = Some(value.to_owned()),
                (None, "of") => job_name = value.to_owned(),
                _ => (),
            }
        }
        seal.job = hash.map(|hash| JobId { hash, name: job_name });
        Some(seal)
    }

    /// How it is known that an object with this seal is what was sent; `None` if it is not.
    pub fn proof(&self, object: &ObjectVersion) -> Option<Proof> {
        match (self.crc, object.crc) {
            _ if self.size != object.size => None,
            (Some(sent), Some(found)) if sent == found => Some(Proof::Crc(sent.algorithm)),
            (Some(_), Some(_)) => None,
            _ => Some(Proof::Size),
        }
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fingerprint.0, self.size)?;
        self.crc.iter().try_for_each(|crc| write!(f, " {}={}", crc.algorithm.name(), crc.base64()))?;
        self.manifest_hash.iter().try_for_each(|version| write!(f, " manifest={version}"))?;
        self.columns.iter().try_for_each(|columns| write!(f, " columns={columns}"))?;
        self.job.iter().try_for_each(|JobId { hash, name }| write!(f, " job={hash} of={name}"))
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Uri;

    fn object(etag: &str) -> ObjectVersion {
        ObjectVersion { uri: Uri::new("b", "k"), size: 9, etag: etag.to_owned(), crc: None, is_composite: false }
    }

    #[test]
    fn a_fingerprint_is_of_all_that_the_object_is_made_of() {
        let none = Attributes::default();
        let one = Fingerprint::of(&[object("e")], b"id\n", false, &none);
        assert_eq!(one, Fingerprint::of(&[object("e")], b"id\n", false, &none));
        let csv = Attributes { content_type: Some("text/csv".to_owned()), ..none.clone() };
        for other in [
            Fingerprint::of(&[object("f")], b"id\n", false, &none),
            Fingerprint::of(&[object("e"), object("e")], b"id\n", false, &none),
            Fingerprint::of(&[object("e")], b"ID\n", false, &none),
            Fingerprint::of(&[object("e")], b"id\n", true, &none),
            Fingerprint::of(&[object("e")], b"id\n", false, &csv),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_seal_reads_as_it_was_written_and_holds_for_the_object_only() {
        let fingerprint = Fingerprint::of(&[object("e")], b"id\n", false, &Attributes::default());
        let crc = |bytes: &[u8]| Some(Crc::of(Algorithm::Crc32c, bytes));
        let some = || Some("0123456789abcdef".to_owned());
        let job = |key: &str| Some(JobId::new(&Uri::new("b", key), "c=ZZ Top/"));
        for (crc, manifest_hash, job, columns) in [
            (None, None, None, None),
            (crc(b"123456789"), None, job("unload/größe 100%"), Some(7)),
            (crc(b"1"), some(), job(&"ü".repeat(500)), Some(1_600)),
        ] {
            let seal = Seal { fingerprint: fingerprint.clone(), job, columns, size: 9, crc, manifest_hash };
            let read = Seal::parse(&seal.to_string()).unwrap();
            let name = |seal: &Seal| seal.job.as_ref().map(JobId::to_string);
            assert_eq!(name(&read), name(&seal));
            assert!(name(&seal).is_none_or(|name| name.ends_with("c=ZZ Top/")));
            assert_eq!(Seal::parse(&seal.to_string()), Some(seal.clone()));
            assert_eq!(seal.proof(&object("e")), Some(Proof::Size));
            assert_eq!(seal.proof(&ObjectVersion { size: 8, ..object("e") }), None);
        }
        let (job, columns, manifest_hash) = (job(&"u".repeat(1_024)), Some(1_600), some());
        let seal = Seal { fingerprint, job, columns, size: 9, crc: crc(b"123456789"), manifest_hash };
        assert_eq!(
            seal.proof(&ObjectVersion { crc: crc(b"123456789"), ..object("e") }),
            Some(Proof::Crc(Algorithm::Crc32c))
        );
        assert_eq!(seal.proof(&ObjectVersion { crc: crc(b"123456780"), ..object("e") }), None);
        let crc32 = Some(Crc::of(Algorithm::Crc32, b"123456789"));
        assert_eq!(
            seal.proof(&ObjectVersion { crc: crc32, ..object("e") }),
            None,
            "the seal was copied to another object"
        );
        assert_eq!(Seal::parse("anything"), None);
        let longest = Seal { size: 48 << 40, crc: Some(Crc::of(Algorithm::Crc64Nvme, b"")), ..seal }.to_string();
        assert_eq!(KEY.len() + longest.len(), 340, "what docs/reference.md says it takes of S3's 2 KB");
    }
}
