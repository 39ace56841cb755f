-- The inbox of webhook deliveries, version 1; runs once, when the file is made.

-- What came, each body once. A number is never used again, so that it can say how far one has read.
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id TEXT NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
    body BLOB NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0,  -- how often it came again
    archived INTEGER NOT NULL DEFAULT 0  -- 1 once the raw archive has it
);
CREATE INDEX deliveries_archived ON deliveries (archived, received_at);
CREATE INDEX deliveries_repeated ON deliveries (repeats) WHERE repeats > 0;

-- One row: which inbox this is, and when it was last found writable.
CREATE TABLE about (inbox_id TEXT NOT NULL, checked_at INTEGER);
