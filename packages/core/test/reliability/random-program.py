"""Runs the programs of random-program.ts with CPython's sqlite3: a JSON list in, what came of each step out."""

import json
import sqlite3
import sys


# Codes that CPython has no name for.
NAMES = {3091: "SQLITE_CONSTRAINT_DATATYPE"}


def outcome(work):
    try:
        return {"ok": work()}
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        return {"error": type(error).__name__, "code": NAMES.get(code) or getattr(error, "sqlite_errorname", None)}


class Run:
    def __init__(self, path):
        self.connections = [sqlite3.connect(path, timeout=0) for _ in range(2)]
        self.cursors = {}

    def step(self, step):
        do, number = step["do"], step["on"]
        connection = self.connections[number]
        if do in ("execute", "executemany"):
            before = self.cursors.pop((number, step["cursor"]), None)
            if before:
                before.close()
            cursor = self.cursors[number, step["cursor"]] = connection.cursor()
            method = cursor.execute if do == "execute" else cursor.executemany
            return outcome(lambda: method(step["sql"], step["values"]).rowcount)
        if do == "fetch":
            cursor = self.cursors.get((number, step["cursor"]))
            return outcome(lambda: [list(row) for row in cursor.fetchmany(step["rows"])] if cursor else [])
        if do == "script":
            return outcome(lambda: connection.executescript(step["sql"]) and None)
        for key in [key for key in self.cursors if key[0] == number]:
            self.cursors.pop(key).close()
        return outcome(connection.commit if do == "commit" else connection.rollback)

    def run(self, steps):
        return [[self.step(step), *(one.in_transaction for one in self.connections)] for step in steps]


def tables(path):
    connection = sqlite3.connect(path)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")]
        return {name: [list(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in names}
    finally:
        connection.close()


def perform(job):
    connection = sqlite3.connect(job["path"], isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(job["schema"])
    answers = []
    if job["kind"] == "writes":
        connection.execute("PRAGMA foreign_keys = ON")
        for sql in job["steps"]:
            answers.append(outcome(lambda: connection.execute(sql).rowcount))
        connection.close()
    else:
        connection.close()
        run = Run(job["path"])
        for one in run.connections:
            one.execute("PRAGMA foreign_keys = ON")
        answers = run.run(job["steps"])
        for one in run.connections:
            one.close()
    return {"answers": answers, "tables": tables(job["path"])}


json.dump([perform(job) for job in json.load(sys.stdin)], sys.stdout)
