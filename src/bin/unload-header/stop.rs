//! How a command is asked to stop.

use tokio::signal::ctrl_c;

/// Ends when somebody asks: by Ctrl-C, or by SIGTERM, as Airflow and container runtimes do.
pub async fn asked_to_stop() {
    tokio::select! {
        _ = ctrl_c() => (),
        () = terminated() => (),
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        // Then it ends the process at once, as it would without this.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
