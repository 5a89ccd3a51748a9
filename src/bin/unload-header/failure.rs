//! How the command line ends.

use std::io;
use std::process::ExitCode;

use unload_header::error::Error;
use unload_header::s3::S3Error;
use unload_header::settings::SettingError;

/// Why a command has not done what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line itself is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
    /// Something has failed or is not done, and was named already.
    #[error("")]
    Named,
    /// By Ctrl-C or SIGTERM.
    #[error("{0}")]
    Stopped(String),
    #[error("nobody reads standard output any more")]
    Closed,
}

impl Failure {
    pub fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Usage(_) => 2,
            Failure::Stopped(_) => 130,
            Failure::Failed(_) | Failure::Named | Failure::Closed => 1,
        })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Setting(error) => error.into(),
            error => Failure::Failed(format!("{}: {error}", error.kind())),
        }
    }
}

impl From<S3Error> for Failure {
    fn from(error: S3Error) -> Failure {
        Error::from(error).into()
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Failure {
        // The command line names the bucket itself.
        let flag = match error.name {
            "UNLOAD_BUCKET" => String::new(),
            name => format!(", or --{}", name.to_lowercase().replace('_', "-")),
        };
        Failure::Usage(format!("{error}\nIt is the environment variable {}{flag}.", error.name))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::Failed(error.to_string())
    }
}
