//! UNLOAD's options as a list of keywords with their values.

use std::fmt;

use super::token::{Token, tokens};
use super::{Field, OptionsError};

/// An option. `Display` is its name in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    Csv,
    Parquet,
    Json,
    PartitionBy,
    Manifest,
    Header,
    Delimiter,
    FixedWidth,
    Encrypted,
    EncryptedAuto,
    Gzip,
    Bzip2,
    Zstd,
    AddQuotes,
    Null,
    Escape,
    AllowOverwrite,
    CleanPath,
    Parallel,
    MaxFileSize,
    RowGroupSize,
    Region,
    Extension,
    KmsKeyId,
    MasterSymmetricKey,
    IamRole,
    Credentials,
    AccessKeyId,
    SecretAccessKey,
    SessionToken,
}

const KEYWORDS: [(&str, Keyword); 30] = [
    ("CSV", Keyword::Csv),
    ("PARQUET", Keyword::Parquet),
    ("JSON", Keyword::Json),
    ("PARTITION", Keyword::PartitionBy),
    ("MANIFEST", Keyword::Manifest),
    ("HEADER", Keyword::Header),
    ("DELIMITER", Keyword::Delimiter),
    ("FIXEDWIDTH", Keyword::FixedWidth),
    ("ENCRYPTED", Keyword::Encrypted),
    ("ENCRYPTED AUTO", Keyword::EncryptedAuto),
    ("GZIP", Keyword::Gzip),
    ("BZIP2", Keyword::Bzip2),
    ("ZSTD", Keyword::Zstd),
    ("ADDQUOTES", Keyword::AddQuotes),
    ("NULL", Keyword::Null),
    ("ESCAPE", Keyword::Escape),
    ("ALLOWOVERWRITE", Keyword::AllowOverwrite),
    ("CLEANPATH", Keyword::CleanPath),
    ("PARALLEL", Keyword::Parallel),
    ("MAXFILESIZE", Keyword::MaxFileSize),
    ("ROWGROUPSIZE", Keyword::RowGroupSize),
    ("REGION", Keyword::Region),
    ("EXTENSION", Keyword::Extension),
    ("KMS_KEY_ID", Keyword::KmsKeyId),
    ("MASTER_SYMMETRIC_KEY", Keyword::MasterSymmetricKey),
    ("IAM_ROLE", Keyword::IamRole),
    ("CREDENTIALS", Keyword::Credentials),
    ("ACCESS_KEY_ID", Keyword::AccessKeyId),
    ("SECRET_ACCESS_KEY", Keyword::SecretAccessKey),
    ("SESSION_TOKEN", Keyword::SessionToken),
];

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KEYWORDS.iter().find(|(_, keyword)| keyword == self).map_or("", |(name, _)| name))
    }
}

/// The options that were given, and the values of those that shape a row.
#[derive(Debug, Default)]
pub struct Given {
    keywords: Vec<Keyword>,
    pub delimiter: Option<u8>,
    pub fixed_width: Option<Vec<Field>>,
    pub verbose_manifest: bool,
    /// PARTITION BY is given without INCLUDE.
    pub rows_lack_partitions: bool,
}

impl Given {
    pub fn any(&self) -> bool {
        !self.keywords.is_empty()
    }

    pub fn has(&self, keyword: Keyword) -> bool {
        self.keywords.contains(&keyword)
    }
}

pub fn parse(sql: &str) -> Result<Given, OptionsError> {
    let tokens = tokens(sql)?;
    let ends = tokens.iter().rposition(|token| !matches!(token, Token::Sign(';'))).map_or(0, |last| last + 1);
    let mut rest = Tokens { tokens: &tokens[..ends] };
    let mut given = Given::default();
    while let Some(token) = rest.next() {
        let mut name = token.to_string();
        if token.is("FORMAT") {
            rest.skip("AS");
            let format = rest.next();
            let known = |format: &&Token| ["CSV", "PARQUET", "JSON"].iter().any(|known| format.is(known));
            let known = format.filter(known).ok_or_else(|| value("FORMAT", "CSV, PARQUET or JSON", format))?;
            name = known.to_string();
        } else if let Some(authorization) = rest.authorization(token) {
            name = authorization.to_string();
        }
        let keyword = KEYWORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, it)| *it);
        let keyword = rest.value_of(keyword.ok_or(OptionsError::Unknown(name))?, &mut given)?;
        if given.has(keyword) {
            return Err(OptionsError::Twice(keyword.to_string()));
        }
        given.keywords.push(keyword);
    }
    Ok(given)
}

struct Tokens<'t> {
    tokens: &'t [Token],
}

impl<'t> Tokens<'t> {
    fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// The token after a WITH. Only an authorization may follow one: `[WITH] CREDENTIALS`.
    fn authorization(&mut self, token: &Token) -> Option<&'t Token> {
        let known = ["CREDENTIALS", "IAM_ROLE", "ACCESS_KEY_ID"];
        let follows = self.tokens.first().is_some_and(|next| known.iter().any(|known| next.is(known)));
        (token.is("WITH") && follows).then(|| self.next()).flatten()
    }

    /// Passes over a word if it is the next token; tells whether it was.
    fn skip(&mut self, word: &str) -> bool {
        self.tokens.first().is_some_and(|token| token.is(word)) && self.next().is_some()
    }

    fn string(&mut self, option: Keyword, expected: &'static str) -> Result<&'t str, OptionsError> {
        self.skip("AS");
        match self.next() {
            Some(Token::Quoted(text)) => Ok(text),
            other => Err(value(&option.to_string(), expected, other)),
        }
    }

    /// Reads the value of an option. ENCRYPTED may turn out to be ENCRYPTED AUTO.
    fn value_of(&mut self, keyword: Keyword, given: &mut Given) -> Result<Keyword, OptionsError> {
        match keyword {
            Keyword::Delimiter => {
                let text = self.string(keyword, "one ASCII character in quotes")?;
                let one = delimiter(text).ok_or_else(|| value("DELIMITER", "one ASCII character", Some(&text)))?;
                given.delimiter = Some(one);
            }
            Keyword::FixedWidth => {
                let text = self.string(keyword, "a spec like 'id:8,name:20'")?;
                let fields =
                    fields(text).ok_or_else(|| value("FIXEDWIDTH", "a spec like 'id:8,name:20'", Some(&text)))?;
                given.fixed_width = Some(fields);
            }
            Keyword::Encrypted if self.skip("AUTO") => return Ok(Keyword::EncryptedAuto),
            Keyword::Manifest => given.verbose_manifest = self.skip("VERBOSE"),
            Keyword::Parallel => drop(["ON", "TRUE", "OFF", "FALSE"].iter().any(|word| self.skip(word))),
            Keyword::PartitionBy => given.rows_lack_partitions = self.partition()?,
            Keyword::MaxFileSize => self.size(keyword, "5 MB to 6.2 GB", 5.0..=6.2 * 1024.0)?,
            Keyword::RowGroupSize => self.size(keyword, "32 MB to 128 MB", 32.0..=128.0)?,
            Keyword::IamRole if self.skip("DEFAULT") => (),
            Keyword::Null
            | Keyword::Region
            | Keyword::Extension
            | Keyword::KmsKeyId
            | Keyword::MasterSymmetricKey
            | Keyword::IamRole
            | Keyword::Credentials
            | Keyword::AccessKeyId
            | Keyword::SecretAccessKey
            | Keyword::SessionToken => drop(self.string(keyword, "a text in quotes")?),
            _ => (),
        }
        Ok(keyword)
    }

    /// `BY ( column [, …] ) [INCLUDE]`
    fn partition(&mut self) -> Result<bool, OptionsError> {
        let mut expected = |is: fn(&Token) -> bool| match self.next() {
            Some(token) if is(token) => Ok(token),
            other => Err(value("PARTITION", "BY (column, …)", other)),
        };
        expected(|token| token.is("BY"))?;
        expected(|token| matches!(token, Token::Sign('(')))?;
        loop {
            expected(|token| matches!(token, Token::Word(_) | Token::Name(_)))?;
            if matches!(expected(|token| matches!(token, Token::Sign(',' | ')')))?, Token::Sign(')')) {
                break;
            }
        }
        Ok(!self.skip("INCLUDE"))
    }

    /// A number of MB, unless GB follows.
    fn size(
        &mut self,
        option: Keyword,
        expected: &'static str,
        allowed: std::ops::RangeInclusive<f64>,
    ) -> Result<(), OptionsError> {
        self.skip("AS");
        let next = self.next();
        let text = next.map(|token| token.to_string().to_ascii_uppercase()).unwrap_or_default();
        let (number, glued) = text.split_at(text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len()));
        let unit = match glued {
            "GB" => 1024.0,
            "" if self.skip("GB") => 1024.0,
            "" | "MB" => 1.0,
            _ => f64::NAN,
        };
        self.skip("MB");
        match number.parse::<f64>() {
            Ok(number) if allowed.contains(&(number * unit)) => Ok(()),
            _ => Err(value(&option.to_string(), expected, next)),
        }
    }
}

fn value(option: &str, expected: &'static str, found: Option<&impl fmt::Display>) -> OptionsError {
    OptionsError::Value { option: option.to_owned(), expected, found: found.map(ToString::to_string) }
}

/// The character itself, `\t`, or an octal `\ddd` as COPY takes it.
fn delimiter(text: &str) -> Option<u8> {
    let byte = match text.as_bytes() {
        [byte] => *byte,
        [b'\\', b't'] => b'\t',
        [b'\\', b'0'..=b'7', b'0'..=b'7', b'0'..=b'7'] => u8::from_str_radix(&text[1..], 8).ok()?,
        _ => return None,
    };
    (byte.is_ascii() && !matches!(byte, 0 | b'\n' | b'\r')).then_some(byte)
}

fn fields(spec: &str) -> Option<Vec<Field>> {
    let field = |text: &str| {
        let (id, width) = text.trim().rsplit_once(':')?;
        let width = width.trim().parse().ok().filter(|width| *width > 0)?;
        let id = id.trim();
        (!id.is_empty()).then(|| Field { id: id.to_owned(), width })
    };
    spec.split(',').map(field).collect()
}
