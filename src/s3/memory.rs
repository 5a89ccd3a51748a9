//! The memory that bytes of objects take, shared by all jobs of the process.
//!
//! It has two halves. A job may hold first bytes of its sources, and then wait for the memory of what it reads and sends
//! after that. Who holds some of this other half waits for neither. So there is always a job that can go on.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of 64 KiB.
const UNIT: u64 = 64 << 10;
/// All jobs together hold 20 MiB of each half at most.
const UNITS: u32 = 320;

/// The two halves.
#[derive(Clone, Debug)]
pub struct Memory {
    /// For first bytes of sources, which a job holds to its end.
    pub starts: Half,
    /// For bodies that are sent, and for manifests and sidecars while they are read.
    pub bodies: Half,
}

/// A budget of 20 MiB. What is larger takes all of it.
#[derive(Clone, Debug)]
pub struct Half(Arc<Semaphore>);

/// A share of a half, given back when it is dropped.
pub type Reservation = OwnedSemaphorePermit;

/// Bytes, with the memory that they take. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct HeldBytes {
    bytes: Bytes,
    _memory: Option<Arc<Reservation>>,
}

impl Default for Memory {
    fn default() -> Memory {
        let half = || Half(Arc::new(Semaphore::new(UNITS as usize)));
        Memory { starts: half(), bodies: half() }
    }
}

impl Half {
    /// Memory for so many bytes, if that much is free now.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        Arc::clone(&self.0).try_acquire_many_owned(units(bytes)).ok()
    }

    /// Waits until there is memory for so many bytes.
    pub async fn reserve(&self, bytes: u64) -> Option<Reservation> {
        Arc::clone(&self.0).acquire_many_owned(units(bytes)).await.ok()
    }
}

impl HeldBytes {
    pub fn new(bytes: Bytes, memory: Option<Reservation>) -> HeldBytes {
        HeldBytes { bytes, _memory: memory.map(Arc::new) }
    }
}

impl Deref for HeldBytes {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

fn units(bytes: u64) -> u32 {
    bytes.div_ceil(UNIT).min(UNITS.into()) as u32
}
