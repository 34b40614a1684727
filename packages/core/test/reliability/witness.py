"""Reads and writes a database on behalf of witness.ts: one JSON request per line, one JSON answer per line."""

import json
import sqlite3
import struct
import sys


def encode(value):
    if value is None:
        return "n"
    if isinstance(value, int):
        return "i%d" % value
    if isinstance(value, float):
        return "r" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "t" + value.encode("utf-8").hex()
    return "b" + bytes(value).hex()


def decode(text):
    kind, rest = text[0], text[1:]
    if kind == "n":
        return None
    if kind == "i":
        return int(rest)
    if kind == "r":
        return struct.unpack(">d", bytes.fromhex(rest))[0]
    data = bytes.fromhex(rest)
    return data.decode("utf-8") if kind == "t" else data


def answer(request):
    database = sqlite3.connect(request["path"], isolation_level=None)
    try:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = OFF")
        if request["do"] == "read":
            return [[encode(value) for value in row] for row in database.execute(request["sql"])]
        if request["do"] == "write":
            database.execute("BEGIN IMMEDIATE")
            database.executemany(request["sql"], [[decode(cell) for cell in row] for row in request["rows"]])
            database.execute("COMMIT")
            return None
        try:
            database.execute(request["sql"]).fetchall()
            return None
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", None)
            return {
                "name": type(error).__name__,
                # There are codes that it has no name for.
                "code": None if code == "unknown" else code,
                "message": str(error),
            }
    finally:
        database.close()


print(json.dumps([sys.version.split()[0], sqlite3.sqlite_version]), flush=True)
for line in sys.stdin:
    try:
        print(json.dumps({"ok": answer(json.loads(line))}), flush=True)
    except Exception as error:
        print(json.dumps({"failed": repr(error)}), flush=True)
