//! The memory that the bodies of uploads take, shared by all jobs of the process.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of 64 KiB.
const UNIT: u64 = 64 << 10;
/// All jobs together hold 20 MiB at most.
const UNITS: u32 = 320;

/// A budget of 20 MiB. One upload that is larger takes all of it.
#[derive(Clone, Debug)]
pub struct UploadMemory(Arc<Semaphore>);

/// A share of the budget, given back when it is dropped.
pub type Reservation = OwnedSemaphorePermit;

impl Default for UploadMemory {
    fn default() -> UploadMemory {
        UploadMemory(Arc::new(Semaphore::new(UNITS as usize)))
    }
}

impl UploadMemory {
    /// Memory for so many bytes, if that much is free now.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        Arc::clone(&self.0).try_acquire_many_owned(units(bytes)).ok()
    }

    /// Waits until there is memory for so many bytes.
    pub async fn reserve(&self, bytes: u64) -> Option<Reservation> {
        Arc::clone(&self.0).acquire_many_owned(units(bytes)).await.ok()
    }
}

fn units(bytes: u64) -> u32 {
    bytes.div_ceil(UNIT).min(UNITS.into()) as u32
}
