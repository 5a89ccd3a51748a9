//! What a final object was made from, written into its own metadata: how a repeated job knows that its
//! work is done.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::crc::{Algorithm, Crc};
use crate::receipt::Proof;
use crate::s3::{Attributes, Head, Object};
use crate::uri::Uri;

/// The name of the metadata, without `x-amz-meta-`.
pub const KEY: &str = "unload-header";

/// Over the sources' ETags, the header, and all that comes along with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

/// Whose final object it is: a data object's, or that of a manifest's folder.
#[derive(Clone, Debug)]
pub struct Owner {
    /// 16 hexadecimal digits.
    id: String,
    /// The URI of the data object, or of the manifest and the folder behind it, percent-encoded; where that is long,
    /// its end.
    place: String,
}

/// What stands in the metadata:
/// `<fingerprint> <bytes> crc64nvme=<base64> manifest=<16 hexadecimal digits> columns=<count> job=<16 digits> of=<URI>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub fingerprint: Fingerprint,
    /// `None` on objects that older versions have written.
    pub owner: Option<Owner>,
    /// How many columns the header names.
    pub columns: Option<usize>,
    /// Of the final object, in bytes.
    pub size: u64,
    /// Of the final object, if the sources' were known.
    pub crc: Option<Crc>,
    /// Which version of a manifest listed the sources, if one did.
    pub manifest_version: Option<String>,
}

/// As much as a seal has of a long URI, in bytes: user metadata has 2 KB in all.
const PLACE: usize = 160;
/// What HTTP does not carry in a header, or a seal's words have between them.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"');

impl Owner {
    pub fn new(uri: &Uri, folder: &str) -> Owner {
        let whole = format!("{uri} {folder}");
        let mut place = utf8_percent_encode(whole.trim_end(), ENCODED).to_string();
        if let Some(start) = place.len().checked_sub(PLACE + 1) {
            place.replace_range(..start + "...".len(), "...");
        }
        Owner { id: short(&whole), place }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent_decode_str(&self.place).decode_utf8_lossy())
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Owner) -> bool {
        self.id == other.id
    }
}

impl Eq for Owner {}

/// Names a version of a manifest.
pub fn version(etag: &str, modified: i64) -> String {
    short(&format!("{etag} {modified}"))
}

fn short(text: &str) -> String {
    hex(&Sha256::digest(text))[..16].to_owned()
}

impl Fingerprint {
    /// `header` is the plain one: what the sources are compressed with follows from their content. `cut`
    /// says that the sources' own headers are left out.
    pub fn of(sources: &[Object], header: &[u8], cut: bool, attributes: &Attributes) -> Fingerprint {
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

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Seal {
    /// The one that an object bears, if any.
    pub fn on(head: &Head) -> Option<Seal> {
        Seal::parse(head.attributes.metadata.get(KEY)?)
    }

    fn parse(text: &str) -> Option<Seal> {
        let mut words = text.split(' ');
        let fingerprint = Fingerprint(words.next()?.to_owned());
        let size = words.next()?.parse().ok()?;
        let mut seal = Seal { fingerprint, owner: None, columns: None, size, crc: None, manifest_version: None };
        let (mut id, mut place) = (None, String::new());
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match (Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name), name) {
                (Some(algorithm), _) => seal.crc = Crc::parse(algorithm, value),
                (None, "manifest") => seal.manifest_version = Some(value.to_owned()),
                (None, "columns") => seal.columns = value.parse().ok(),
                (None, "job") => id = Some(value.to_owned()),
                (None, "of") => place = value.to_owned(),
                _ => (),
            }
        }
        seal.owner = id.map(|id| Owner { id, place });
        Some(seal)
    }

    /// How it is known that an object that bears this seal is what was sent; `None` if it is not.
    pub fn proof(&self, object: &Object) -> Option<Proof> {
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
        self.manifest_version.iter().try_for_each(|version| write!(f, " manifest={version}"))?;
        self.columns.iter().try_for_each(|columns| write!(f, " columns={columns}"))?;
        self.owner.iter().try_for_each(|Owner { id, place }| write!(f, " job={id} of={place}"))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Uri;

    fn object(etag: &str) -> Object {
        Object { uri: Uri::new("b", "k"), size: 9, etag: etag.to_owned(), crc: None, is_composite: false }
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
        let owner = |key: &str| Some(Owner::new(&Uri::new("b", key), "c=ZZ Top/"));
        for (crc, manifest_version, owner, columns) in [
            (None, None, None, None),
            (crc(b"123456789"), None, owner("unload/größe 100%"), Some(7)),
            (crc(b"1"), some(), owner(&"ü".repeat(500)), Some(1_600)),
        ] {
            let seal = Seal { fingerprint: fingerprint.clone(), owner, columns, size: 9, crc, manifest_version };
            let read = Seal::parse(&seal.to_string()).unwrap();
            let place = |seal: &Seal| seal.owner.as_ref().map(Owner::to_string);
            assert_eq!(place(&read), place(&seal));
            assert!(place(&seal).is_none_or(|place| place.ends_with("c=ZZ Top/")));
            assert_eq!(Seal::parse(&seal.to_string()), Some(seal.clone()));
            assert_eq!(seal.proof(&object("e")), Some(Proof::Size));
            assert_eq!(seal.proof(&Object { size: 8, ..object("e") }), None);
        }
        let (owner, columns, manifest_version) = (owner(&"u".repeat(1_024)), Some(1_600), some());
        let seal = Seal { fingerprint, owner, columns, size: 9, crc: crc(b"123456789"), manifest_version };
        assert_eq!(seal.proof(&Object { crc: crc(b"123456789"), ..object("e") }), Some(Proof::Crc(Algorithm::Crc32c)));
        assert_eq!(seal.proof(&Object { crc: crc(b"123456780"), ..object("e") }), None);
        let crc32 = Some(Crc::of(Algorithm::Crc32, b"123456789"));
        assert_eq!(seal.proof(&Object { crc: crc32, ..object("e") }), None, "somebody else has copied the seal");
        assert_eq!(Seal::parse("anything"), None);
        let longest = Seal { size: 48 << 40, crc: Some(Crc::of(Algorithm::Crc64Nvme, b"")), ..seal }.to_string();
        assert_eq!(KEY.len() + longest.len(), 340, "what README says it takes of S3's 2 KB");
    }
}
