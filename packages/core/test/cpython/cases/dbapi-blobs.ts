import type { Case } from "./case.ts";

const blob = (text: string): object => ({ $blob: Buffer.from(text, "latin1").toString("hex") });
const BLOB = [
  ["script", "CREATE TABLE b (data BLOB)"],
  ["execute", "INSERT INTO b VALUES (?)", [blob("this blob data string is exactly fifty bytes long!")]],
] as const;

/** The part of test_dbapi.py about blobs. */
export const blobs: readonly Case[] = [
  {
    title: "a blob of a row beyond 32 bits",
    covers: "blob_32bit_rowid",
    native: true,
    since: [3, 11],
    steps: [
      ["script", "CREATE TABLE b (data BLOB)"],
      ["execute", "INSERT INTO b (rowid, data) VALUES (?, ?)", [2 ** 40, blob("x")]],
      ["blobopen", "b", "data", 2 ** 40],
      ["blob_do", "read"],
      ["blob_do", "close"],
    ],
  },
  {
    title: "a blob has read(), seek() and tell()",
    covers:
      "blob_is_a_blob blob_seek_and_tell blob_seek_error blob_read blob_read_oversized blob_read_advance_offset blob_read_at_offset blob_length",
    native: true,
    since: [3, 11],
    steps: [
      ...BLOB,
      ["blobopen", "b", "data", 1],
      ["blob_length"],
      ["blob_do", "read", 10],
      ["blob_do", "tell"],
      ["blob_do", "seek", 10],
      ["blob_do", "seek", 10, 1],
      ["blob_do", "tell"],
      ["blob_do", "seek", -10, 2],
      ["blob_do", "read"],
      ["blob_do", "read", 5],
      ["blob_do", "seek", 1000],
      ["blob_do", "seek", -1],
      ["blob_do", "seek", 0, 3],
      ["blob_do", "seek", 0],
      ["blob_do", "read", 1000],
      ["blob_do", "close"],
    ],
    differs: "`seek()` returns the position",
  },
  {
    title: "a blob is written at its position, and never beyond its end",
    covers:
      "blob_write blob_write_at_offset blob_write_advance_offset blob_write_error_length blob_write_error_readonly",
    native: true,
    since: [3, 11],
    steps: [
      ...BLOB,
      ["blobopen", "b", "data", 1],
      ["blob_do", "write", blob("new")],
      ["blob_do", "tell"],
      ["blob_do", "seek", 45],
      ["blob_do", "write", blob("12345")],
      ["blob_do", "write", blob("6")],
      ["blob_do", "seek", 48],
      ["blob_do", "write", blob("abc")],
      ["blob_do", "close"],
      ["all", "SELECT data FROM b"],
      ["blobopen", "b", "data", 1, { readonly: true }],
      ["blob_do", "write", blob("x")],
      ["blob_do", "close"],
    ],
    differs: "`seek()` returns the position",
  },
  {
    title: "a blob ends when its row has changed, and a missing one does not open",
    covers: "blob_read_error_row_changed blob_write_error_row_changed blob_open_error",
    native: true,
    since: [3, 11],
    steps: [
      ...BLOB,
      ["blobopen", "b", "data", 1],
      ["execute", "UPDATE b SET data = 'other' WHERE rowid = 1"],
      ["blob_do", "read"],
      ["blob_do", "write", blob("aaa")],
      ["blob_do", "close"],
      ["blobopen", "none", "data", 1],
      ["blobopen", "b", "none", 1],
      ["blobopen", "b", "data", 2],
      ["blobopen", "b", "data", 1, { name: "none" }],
    ],
    differs:
      "if the row of a blob has changed, a write fails with an `OperationalError`, as a read does, instead of a `ValueError`",
  },
  {
    title: "a closed blob, or one of a closed connection, cannot be used",
    covers: "blob_closed blob_closed_db_read",
    native: true,
    since: [3, 11],
    steps: [
      ...BLOB,
      ["blobopen", "b", "data", 1],
      ["blob_do", "close"],
      ["blob_do", "close"],
      ["blob_do", "read"],
      ["blob_do", "write", blob("x")],
      ["blob_do", "seek", 0],
      ["blob_do", "tell"],
      ["blob_length"],
      ["blobopen", "b", "data", 1],
      ["close"],
      ["blob_do", "read"],
    ],
    differs:
      "`close()` of a closed blob does nothing; with a closed connection the error is a `ConnectionClosedError`",
  },
];
