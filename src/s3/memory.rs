//! The memory that bytes of objects take, shared by all jobs of the process.
//!
//! It has two halves. A job may hold first bytes of its sources, and then wait for the memory of what it reads and sends
//! after that. Who holds some of this other half waits for neither: first bytes that have to be read again then take what
//! memory is free, or none. So there is always a job that can go on.

use std::ops::Deref;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of 64 KiB.
pub const UNIT: u64 = 64 << 10;
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

    /// These bytes with others in front of them; in the same memory, if there is room and nobody else has it.
    pub fn behind(self, front: &[u8]) -> HeldBytes {
        let mut bytes = self.bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
        let length = bytes.len();
        bytes.resize(length + front.len(), 0);
        bytes.copy_within(..length, front.len());
        bytes[..front.len()].copy_from_slice(front);
        HeldBytes { bytes: bytes.freeze(), ..self }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_behind_others_in_the_same_memory_if_it_is_theirs_alone() {
        let with_room = |room: usize| {
            let mut bytes = BytesMut::with_capacity(4 + room);
            bytes.extend_from_slice(b"rows");
            HeldBytes::new(bytes.freeze(), None)
        };
        let (alone, cramped, shared) = (with_room(8), with_room(0), with_room(8));
        let (place, other) = (alone.as_ptr(), shared.clone());
        let behind = alone.behind(b"header\n");
        assert_eq!((behind.as_ref(), behind.as_ptr()), (&b"header\nrows"[..], place));
        assert_eq!(cramped.behind(b"header\n").as_ref(), b"header\nrows");
        assert_eq!(shared.behind(b"header\n").as_ref(), b"header\nrows");
        assert_eq!(other.as_ref(), b"rows");
    }
}
