-- One row per key. crc = CRC-32 (IEEE) over key, a zero byte, value; checked on every read.
CREATE TABLE kv (
    key   TEXT    NOT NULL PRIMARY KEY,
    value BLOB    NOT NULL,
    crc   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
