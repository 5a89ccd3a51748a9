//! What was asked of S3, and how far it has got.

/// What was asked of S3: how many requests were sent, retries included, and how many bytes of objects were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    pub requests: u64,
    /// Those of the requests that AWS bills as PUT, COPY, POST or LIST (AWS, "Amazon S3 pricing").
    pub puts: u64,
    /// Those that it bills as GET and all other requests. DELETE is free.
    pub gets: u64,
    pub bytes_read: u64,
}

impl Effort {
    const NONE: Effort = Effort { requests: 0, puts: 0, gets: 0, bytes_read: 0 };
    pub const PUT: Effort = Effort { requests: 1, puts: 1, ..Effort::NONE };
    pub const GET: Effort = Effort { requests: 1, gets: 1, ..Effort::NONE };
    pub const DELETE: Effort = Effort { requests: 1, ..Effort::NONE };

    pub fn and(self, other: Effort) -> Effort {
        Effort {
            requests: self.requests + other.requests,
            puts: self.puts + other.puts,
            gets: self.gets + other.gets,
            bytes_read: self.bytes_read + other.bytes_read,
        }
    }

    /// What came after an earlier count.
    pub fn since(self, earlier: Effort) -> Effort {
        Effort {
            requests: self.requests - earlier.requests,
            puts: self.puts - earlier.puts,
            gets: self.gets - earlier.gets,
            bytes_read: self.bytes_read - earlier.bytes_read,
        }
    }
}

/// How far the writing of final objects has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub parts: u64,
    pub parts_written: u64,
    pub bytes: u64,
    pub bytes_written: u64,
}
