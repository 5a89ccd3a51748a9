//! The function's settings: environment variables, checked once at start.

mod final_key;

pub use self::final_key::FinalKey;
use crate::s3::Owners;
use crate::unload::options::{OptionsError, masked};
use crate::unload::{Compression, Options};
use crate::uri::Uri;

/// How the keys of intermediate objects begin, in the final bucket: see [`crate::copy::groups`].
pub const INTERMEDIATES: &str = ".unload-header/";

/// See docs/reference.md for what each of them means.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The only bucket whose events are worked on; `None`: any.
    pub unload_bucket: Option<String>,
    pub unload_prefix: String,
    /// `None`: the source's bucket.
    pub final_bucket: Option<String>,
    /// The accounts that own the source's bucket and the final bucket; S3 refuses requests to those of others.
    pub bucket_owner: Option<String>,
    pub final_bucket_owner: Option<String>,
    pub final_key: FinalKey,
    pub output: Output,
    pub options: Options,
    /// Whether a header must have as many columns as the first record.
    pub check_columns: bool,
    /// Whether errors may show the beginning of a record.
    pub show_record: bool,
    pub bom: bool,
    /// Whether a source is deleted once its final object is proved.
    pub delete_source: bool,
    /// Whether the final objects of an unload get a manifest of their own.
    pub final_manifest: bool,
    pub final_kms_key_id: Option<String>,
    /// The function's name, set by Lambda, under which its metrics are written; `None` elsewhere, and no metrics.
    pub function_name: Option<String>,
}

/// For what there is one final object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Each data object.
    Each,
    /// Each unload; with PARTITION BY, each partition folder of it.
    Single,
}

#[derive(Debug, thiserror::Error)]
#[error("the setting {name}={value:?} is wrong: {problem}")]
pub struct SettingError {
    pub name: &'static str,
    pub value: String,
    pub problem: String,
}

impl Settings {
    /// Reads the settings by name; `variable` is `std::env::var` in the function. A variable that is set
    /// to nothing counts as not set, except UNLOAD_PREFIX.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingError> {
        let optional = |name| variable(name).filter(|value| !value.is_empty());
        let wrong = |name, value: &str, problem: String| SettingError { name, value: value.to_owned(), problem };

        let required = "it is required, as the start of the keys that UNLOAD writes, like unload/";
        let unload_prefix = variable("UNLOAD_PREFIX");
        let unload_prefix = unload_prefix.ok_or_else(|| wrong("UNLOAD_PREFIX", "", required.to_owned()))?;
        let checked = |name, problem_of: fn(&str) -> Option<&'static str>| match optional(name) {
            Some(value) => match problem_of(&value) {
                Some(problem) => Err(wrong(name, &value, problem.to_owned())),
                None => Ok(Some(value)),
            },
            None => Ok(None),
        };
        let (unload_bucket, final_bucket) = (checked("UNLOAD_BUCKET", no_bucket)?, checked("FINAL_BUCKET", no_bucket)?);
        let bucket_owner = checked("BUCKET_OWNER", no_account)?;
        let final_bucket_owner = checked("FINAL_BUCKET_OWNER", no_account)?.or_else(|| bucket_owner.clone());
        let (output, default) = match optional("OUTPUT").as_deref() {
            None | Some("each") => (Output::Each, "final/{path}"),
            Some("single") => (Output::Single, "final/{unload}.csv{compression}"),
            Some(other) => return Err(wrong("OUTPUT", other, "allowed are each and single".into())),
        };
        let template = optional("FINAL_KEY").unwrap_or_else(|| default.to_owned());
        let final_key = FinalKey::parse(&template, output).map_err(|problem| wrong("FINAL_KEY", &template, problem))?;
        if final_bucket.is_none() && final_key.reaches(&unload_prefix) {
            return Err(reaches_itself(unload_prefix, template));
        } else if final_bucket.is_none() && meets_intermediates(&unload_prefix) {
            let problem = format!("it meets {INTERMEDIATES}, where intermediate objects lie; choose another prefix");
            return Err(wrong("UNLOAD_PREFIX", &unload_prefix, problem));
        } else if final_key.literal().starts_with(INTERMEDIATES) {
            let problem = format!(
                "it writes below {INTERMEDIATES}, where intermediate objects lie; begin it with another folder"
            );
            return Err(wrong("FINAL_KEY", &template, problem));
        }
        let options = optional("UNLOAD_OPTIONS").unwrap_or_default();
        let options = Options::parse(&options)
            .map_err(|error: OptionsError| wrong("UNLOAD_OPTIONS", &masked(&options), error.to_string()))?;
        let switch = |name, default| match optional(name).as_deref() {
            None => Ok(default),
            Some("off") => Ok(false),
            Some("on") => Ok(true),
            Some(other) => Err(wrong(name, other, "allowed are on and off".into())),
        };
        let (bom, delete_source) = (switch("BOM", false)?, switch("DELETE_SOURCE", false)?);
        let final_manifest = switch("FINAL_MANIFEST", false)?;
        let (check_columns, show_record) = (switch("CHECK_COLUMNS", true)?, switch("SHOW_RECORD", false)?);
        let final_kms_key_id = optional("FINAL_KMS_KEY_ID");
        Ok(Settings {
            unload_bucket,
            unload_prefix,
            final_bucket,
            bucket_owner,
            final_bucket_owner,
            final_key,
            output,
            options,
            check_columns,
            show_record,
            bom,
            delete_source,
            final_manifest,
            final_kms_key_id,
            function_name: optional("AWS_LAMBDA_FUNCTION_NAME"),
        })
    }

    /// The accounts that own the buckets.
    pub fn owners(&self) -> Owners {
        let of_bucket = self.final_bucket.clone().zip(self.final_bucket_owner.clone());
        Owners { of_bucket, of_others: self.bucket_owner.clone() }
    }

    /// Where the final object of a source, or of a manifest, goes. Its key must be below UNLOAD_PREFIX; `unload` is its
    /// unload prefix and the folder of its partition. Refuses a place where the object would start the function again.
    pub fn final_uri(
        &self,
        source: &Uri,
        unload: (&str, &str),
        compression: Option<Compression>,
    ) -> Result<Uri, SettingError> {
        let path = source.key.strip_prefix(&self.unload_prefix).unwrap_or_default();
        let key = self.final_key.render(path, &self.unload_name(unload), compression);
        let uri = Uri::new(self.final_bucket.as_ref().unwrap_or(&source.bucket), key);
        if uri.bucket == source.bucket && uri.key.starts_with(&self.unload_prefix) {
            let problem = format!("{source} would become {uri}, below UNLOAD_PREFIX={:?}", self.unload_prefix);
            return Err(SettingError { name: "FINAL_KEY", value: self.final_key.to_string(), problem });
        } else if uri.key.starts_with(INTERMEDIATES) {
            let problem = format!("{source} would become {uri}, below {INTERMEDIATES}, where intermediate objects lie");
            return Err(SettingError { name: "FINAL_KEY", value: self.final_key.to_string(), problem });
        } else if uri.bucket == source.bucket && meets_intermediates(&self.unload_prefix) {
            let problem = format!("it meets {INTERMEDIATES} in the final bucket, where intermediate objects lie");
            return Err(SettingError { name: "UNLOAD_PREFIX", value: self.unload_prefix.clone(), problem });
        }
        Ok(uri)
    }

    /// Where the manifest of the final objects of this manifest's unload goes: beside them.
    pub fn final_manifest(&self, manifest: &Uri) -> Uri {
        let path = manifest.key.strip_prefix(&self.unload_prefix).unwrap_or_default();
        let key = format!("{}{path}", self.final_key.literal());
        Uri::new(self.final_bucket.as_ref().unwrap_or(&manifest.bucket), key)
    }

    /// Whether sources are kept until the manifest of their final objects is there. It has to be known of each source
    /// that it is the one which the unload's manifest lists. With OUTPUT=single, the final object's seal tells that.
    pub fn deletes_last(&self) -> bool {
        self.delete_source && self.final_manifest && self.output == Output::Each
    }

    /// All places where the final object may go, depending on its compression.
    pub fn final_uris(&self, source: &Uri, unload: (&str, &str)) -> Result<Vec<Uri>, SettingError> {
        let known = if self.final_key.tells_compression() { &Compression::ALL[..] } else { &[] };
        let all = std::iter::once(None).chain(known.iter().copied().map(Some));
        all.map(|compression| self.final_uri(source, unload, compression)).collect()
    }

    /// The value of `{unload}`: the unload prefix below UNLOAD_PREFIX. The folders of a partition are kept, since readers
    /// take the values from them that the rows lack, and the object in them has the name of the prefix.
    fn unload_name(&self, (prefix, folder): (&str, &str)) -> String {
        fn last(path: &str) -> &str {
            path.rsplit('/').next().unwrap_or_default()
        }
        let below = prefix.strip_prefix(&self.unload_prefix).unwrap_or_default().trim_end_matches(SEPARATORS);
        let own = self.unload_prefix.rsplit_once('/').map_or("", |(folder, _)| last(folder));
        let unload = [below, own, "unload"].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        match folder {
            "" => unload.to_owned(),
            folder => format!("{unload}/{folder}{}", last(unload)),
        }
    }

    /// Whether a key may be that of an intermediate object.
    pub fn is_intermediate(&self, bucket: &str, key: &str) -> bool {
        self.final_bucket.as_deref().is_none_or(|it| it == bucket) && key.starts_with(INTERMEDIATES)
    }

    /// Whether a key is one that the function may have written.
    pub fn is_final(&self, bucket: &str, key: &str) -> bool {
        self.final_bucket.as_deref().is_none_or(|it| it == bucket)
            && !self.final_key.literal().is_empty()
            && key.starts_with(self.final_key.literal())
    }
}

/// The function would start itself on its own output.
fn reaches_itself(unload_prefix: String, template: String) -> SettingError {
    if unload_prefix.is_empty() {
        let problem = "it may be empty only with another FINAL_BUCKET".to_owned();
        return SettingError { name: "UNLOAD_PREFIX", value: unload_prefix, problem };
    }
    let problem = format!(
        "it can write below UNLOAD_PREFIX={unload_prefix:?} of the same bucket, and so start the function again on its own \
         output; begin it with another folder, or set another FINAL_BUCKET"
    );
    SettingError { name: "FINAL_KEY", value: template, problem }
}

/// Whether keys that begin so may be those of intermediate objects, or the other way round.
fn meets_intermediates(unload_prefix: &str) -> bool {
    INTERMEDIATES.starts_with(unload_prefix) || unload_prefix.starts_with(INTERMEDIATES)
}

/// What users put between a name and UNLOAD's numbers.
const SEPARATORS: [char; 4] = ['/', '_', '-', '.'];

fn no_account(id: &str) -> Option<&'static str> {
    let is_one = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    (!is_one).then_some("it is no account's id, which has 12 digits")
}

/// Why a name is not that of a general purpose bucket. AWS reserves these names for other things (S3 user guide, "General
/// purpose bucket naming rules").
fn no_bucket(name: &str) -> Option<&'static str> {
    let ends = |end: &[&str]| end.iter().any(|end| name.ends_with(end));
    if name.contains([':', '/']) {
        Some("it is no bucket's name; name the bucket itself, not by an ARN or a URI, nor an access point of it")
    } else if ends(&["-s3alias", "--ol-s3", ".mrap"]) {
        Some("it is an access point, which the function's role does not cover; name the bucket itself")
    } else if ends(&["--x-s3", "--table-s3"]) {
        Some("a directory or table bucket has no tags, conditions and checksums like others; name another bucket")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        Settings::read(find).map_err(|error| error.to_string())
    }

    fn error(variables: &[(&str, &str)]) -> String {
        read(variables).expect_err(&format!("{variables:?}"))
    }

    fn final_key(template: &str, key: &str, unload: &str) -> String {
        let settings = read(&[("UNLOAD_PREFIX", "unload/"), ("FINAL_BUCKET", "o"), ("FINAL_KEY", template)]).unwrap();
        settings.final_uri(&Uri::new("b", key), (unload, ""), Some(Compression::Gzip)).unwrap().to_string()
    }

    #[test]
    fn a_prefix_is_enough() {
        let settings = read(&[("UNLOAD_PREFIX", "unload/")]).unwrap();
        let uri = settings.final_uri(&Uri::new("b", "unload/q/0000_part_00"), ("unload/q/", ""), None).unwrap();
        assert_eq!(uri.to_string(), "s3://b/final/q/0000_part_00");
        assert_eq!(settings.options, Options::default());
        assert!(settings.check_columns && !settings.show_record && !settings.bom);
    }

    #[test]
    fn one_object_of_an_unload_is_named_after_it() {
        let settings = read(&[("UNLOAD_PREFIX", "unload/"), ("OUTPUT", "single")]).unwrap();
        let key = |unload, folder, compression| {
            let manifest = Uri::new("b", format!("{unload}manifest"));
            settings.final_uri(&manifest, (unload, folder), compression).unwrap().key
        };
        assert_eq!(key("unload/q42_", "", None), "final/q42.csv");
        assert_eq!(
            key("unload/sales/", "year=2026/name=ZZ Top/", Some(Compression::Gzip)),
            "final/sales/year=2026/name=ZZ Top/sales.csv.gz"
        );
        assert_eq!(key("unload/sales/", "grade=A-/", None), "final/sales/grade=A-/sales.csv");
        assert_eq!(key("unload/a/sales_-/", "n=__HIVE_DEFAULT_PARTITION__/", None).matches("__").count(), 2);
        assert_eq!(key("unload/", "", None), "final/unload.csv");
        assert_eq!(key("unload/", "year=2026/", None), "final/unload/year=2026/unload.csv");
        assert_eq!(key("unload/sales/dt=1/", "grade=A/", None), "final/sales/dt=1/grade=A/dt=1.csv");
    }

    #[test]
    fn no_extension_is_there_twice() {
        let settings = read(&[("UNLOAD_PREFIX", "unload/"), ("OUTPUT", "single")]).unwrap();
        let key = |unload, compression| {
            settings.final_uri(&Uri::new("b", format!("{unload}manifest")), (unload, ""), compression).unwrap().key
        };
        for (unload, compression, expected) in [
            ("unload/accounts.csv", None, "final/accounts.csv"),
            ("unload/accounts.csv", Some(Compression::Gzip), "final/accounts.csv.gz"),
            ("unload/accounts.csv.gz", Some(Compression::Gzip), "final/accounts.csv.gz"),
            ("unload/accounts.csv.gz", None, "final/accounts.csv"),
            ("unload/accounts.gz", Some(Compression::Gzip), "final/accounts.csv.gz"),
            ("unload/a.csv/b", None, "final/a.csv/b.csv"),
            ("unload/q/.csv", None, "final/q/.csv.csv"),
            ("unload/csv", None, "final/csv.csv"),
        ] {
            assert_eq!(key(unload, compression), expected, "{unload}");
        }
        assert_eq!(
            final_key("{unload}/all.csv{path}", "unload/q.csv000", "unload/q.csv"),
            "s3://o/q.csv/all.csvq.csv000"
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = "CREDENTIALS 'aws_access_key_id=A;aws_secret_access_key=TOPSECRET' GZIPP";
        assert_eq!(
            error(&[("UNLOAD_PREFIX", "unload/"), ("UNLOAD_OPTIONS", options)]),
            "the setting UNLOAD_OPTIONS=\"CREDENTIALS '…' GZIPP\" is wrong: \"GZIPP\" is no option of UNLOAD"
        );
        let settings =
            read(&[("UNLOAD_PREFIX", "unload/"), ("UNLOAD_OPTIONS", &options[..options.len() - 1])]).unwrap();
        assert!(!format!("{settings:?}").contains("TOPSECRET"));
    }

    #[test]
    fn placeholders() {
        let key = "unload/a/q42_0000_part_00";
        assert_eq!(
            final_key("out/{unload}/{path}.csv{compression}", key, "unload/a/q42_"),
            "s3://o/out/a/q42/a/q42_0000_part_00.csv.gz"
        );
        assert_eq!(final_key("{path}.csv", "unload/q_000", "unload/q_"), "s3://o/q_000.csv");
    }

    #[test]
    fn errors_name_the_variable_the_value_and_what_is_allowed() {
        assert!(error(&[]).starts_with("the setting UNLOAD_PREFIX=\"\" is wrong: it is required"));
        let prefix = ("UNLOAD_PREFIX", "unload/");
        assert_eq!(error(&[prefix, ("BOM", "yes")]), "the setting BOM=\"yes\" is wrong: allowed are on and off");
        assert!(error(&[prefix, ("OUTPUT", "all")]).contains("OUTPUT=\"all\""));
        assert!(error(&[prefix, ("CHECK_COLUMNS", "no")]).contains("CHECK_COLUMNS=\"no\""));
        assert!(
            error(&[prefix, ("UNLOAD_BUCKET", "s3://b")]).starts_with("the setting UNLOAD_BUCKET=\"s3://b\" is wrong")
        );
        for id in ["12345678901", "1234567890123", "12345678901a"] {
            let expected =
                format!("the setting BUCKET_OWNER={id:?} is wrong: it is no account's id, which has 12 digits");
            assert_eq!(error(&[prefix, ("BUCKET_OWNER", id)]), expected);
        }
        assert!(error(&[prefix, ("DELETE_SOURCE", "yes")]).contains("DELETE_SOURCE=\"yes\""));
        assert!(error(&[prefix, ("UNLOAD_OPTIONS", "CSV ESCAPE")]).contains("CSV can't be used with ESCAPE"));
        assert!(error(&[prefix, ("FINAL_KEY", "f/{key}")]).contains("{key} is no placeholder"));
        assert!(error(&[prefix, ("FINAL_KEY", "f/{path")]).contains("opened and not closed"));
        assert!(error(&[prefix, ("FINAL_KEY", "f/{unload}.csv")]).contains("without {path}"));
        let single = ("OUTPUT", "single");
        assert!(error(&[prefix, single, ("FINAL_KEY", "f/all.csv")]).contains("without {unload}"));
        assert!(error(&[prefix, single, ("FINAL_KEY", "f/{unload}/{path}")]).contains("no one {path}"));
    }

    #[test]
    fn a_final_bucket_is_a_bucket() {
        for (name, why) in [
            ("arn:aws:s3:eu-west-1:123456789012:accesspoint/finals", "no bucket's name"),
            ("s3://finals", "no bucket's name"),
            ("finals-metadata-s3alias", "an access point"),
            ("finals--use1-az4--x-s3", "a directory or table bucket"),
        ] {
            let error = error(&[("UNLOAD_PREFIX", "unload/"), ("FINAL_BUCKET", name)]);
            assert!(error.starts_with(&format!("the setting FINAL_BUCKET={name:?}")) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn never_writes_where_it_would_start_itself() {
        for (prefix, template) in [
            ("unload/", "unload/{path}"),
            ("unload/", "unload/final/{path}"),
            ("final/unload/", "final/{path}"),
            ("unload/", "u{path}"),
        ] {
            let error = error(&[("UNLOAD_PREFIX", prefix), ("FINAL_KEY", template)]);
            assert!(error.contains("start the function again"), "{prefix} {template}: {error}");
        }
        assert!(error(&[("UNLOAD_PREFIX", "")]).contains("only with another FINAL_BUCKET"));
        let settings = read(&[("UNLOAD_PREFIX", ""), ("FINAL_BUCKET", "other")]).unwrap();
        assert!(settings.final_uri(&Uri::new("b", "k"), ("", ""), None).is_ok());
        let error = settings.final_uri(&Uri::new("other", "k"), ("", ""), None).unwrap_err().to_string();
        assert!(error.contains("s3://other/k would become s3://other/final/k"), "{error}");
    }

    #[test]
    fn neither_unloads_nor_final_objects_meet_intermediate_objects() {
        for prefix in [".", ".unload-header/", ".unload-header/unload/"] {
            let error = error(&[("UNLOAD_PREFIX", prefix)]);
            assert!(error.contains("where intermediate objects lie"), "{prefix}: {error}");
            let elsewhere = read(&[("UNLOAD_PREFIX", prefix), ("FINAL_BUCKET", "o")]).unwrap();
            let target = |bucket| elsewhere.final_uri(&Uri::new(bucket, format!("{prefix}q")), ("", ""), None);
            assert!(target("b").is_ok() && target("o").is_err(), "{prefix}");
        }
        for template in [".unload-header/{path}", ".unload-header/{path}/x"] {
            let error = error(&[("UNLOAD_PREFIX", "unload/"), ("FINAL_KEY", template)]);
            assert!(error.contains("where intermediate objects lie"), "{template}: {error}");
        }
        let bare = [("UNLOAD_PREFIX", "unload/"), ("FINAL_BUCKET", "o"), ("FINAL_KEY", "{path}")];
        let target = |key| read(&bare).unwrap().final_uri(&Uri::new("b", key), ("", ""), None);
        assert!(target("unload/q").is_ok() && target("unload/.unload-header/q").is_err());
    }
}
