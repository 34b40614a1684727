"""Runs the cases of the files beside this one with CPython's sqlite3: a JSON list in, what came of each step out."""

import datetime
import json
import math
import os
import pathlib
import sqlite3
import sys
import tempfile

ARGUMENT = (TypeError, ValueError, OverflowError, AttributeError, IndexError, BufferError)


def given(value):
    if isinstance(value, list):
        return [given(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$blob" in value:
        return bytes.fromhex(value["$blob"])
    if "$int" in value:
        return int(value["$int"])
    if "$real" in value:
        return float(value["$real"])
    return {key: given(each) for key, each in value.items()}


def shown(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$blob": bytes(value).hex()}
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        return {"$int": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$real": str(value)}
    if isinstance(value, sqlite3.Row):
        return {"row": [shown(each) for each in value]}
    if isinstance(value, dict):
        return {key: shown(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return value


def fail(*_):
    raise ZeroDivisionError("on purpose")


FUNCTIONS = {
    "text": lambda: "foo",
    "accents": lambda: "é€😀",
    "zero": lambda: "a\0b",
    "int": lambda: 42,
    "real": lambda: 3.25,
    "null": lambda: None,
    "blob": lambda: b"\x00\x01blob",
    "empty": lambda: b"",
    "long": lambda: 1 << 31,
    "nan": lambda: float("nan"),
    "beyond": lambda: 1 << 63,
    "illegal": lambda: object(),
    "surrogate": lambda: "a\ud8ffb",
    "much": lambda: "x" * 100,
    "large": lambda: bytes(100),
    "view": lambda: memoryview(b"abcdef")[2:4],
    "fail": fail,
    "echo": lambda value: value,
    "count": lambda *values: len(values),
    "kind": lambda value: {int: "integer", float: "real", str: "text", bytes: "blob", type(None): "null"}[type(value)],
}


class Sum:
    def __init__(self):
        self.total = 0

    def step(self, value):
        self.total += value

    def inverse(self, value):
        self.total -= value

    def value(self):
        return self.total

    def finalize(self):
        return self.total


class Told(Sum):
    def value(self):
        return "value"

    def finalize(self):
        return "finalize"


class Join(Sum):
    def __init__(self):
        self.total = ""

    def step(self, *values):
        self.total += ",".join(str(value) for value in values) + ";"


def without(name):
    methods = {key: value for key, value in vars(Sum).items() if key in ("__init__", "step", "inverse", "value", "finalize")}
    methods.pop(name)
    return type("Without", (), methods)


def failing(name):
    return type("Failing", (Sum,), {name: fail})


CLASSES = {
    "sum": Sum,
    "join": Join,
    "told": Told,
    **{f"without {name}": without(name) for name in ("step", "inverse", "value", "finalize")},
    **{f"failing {name}": failing(name) for name in ("__init__", "step", "inverse", "value", "finalize")},
}
CLASSES["failing constructor"] = CLASSES.pop("failing __init__")

COLLATIONS = {
    "reverse": lambda a, b: (a < b) - (a > b),
    "large": lambda a, b: ((a > b) - (a < b)) * 2**32,
    "same": lambda a, b: 0,
    "text": lambda a, b: "less",
    "fail": fail,
}

AUTHORIZERS = {
    "allow": lambda *_: sqlite3.SQLITE_OK,
    "deny table": lambda action, one, two, db, trigger: (
        sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ and one == "t2" else sqlite3.SQLITE_OK
    ),
    "deny column": lambda action, one, two, db, trigger: (
        sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ and two == "c2" else sqlite3.SQLITE_OK
    ),
    "ignore column": lambda action, one, two, db, trigger: (
        sqlite3.SQLITE_IGNORE if action == sqlite3.SQLITE_READ and two == "c2" else sqlite3.SQLITE_OK
    ),
    "only select": lambda action, *_: sqlite3.SQLITE_OK if action == sqlite3.SQLITE_SELECT else sqlite3.SQLITE_DENY,
    "fail": fail,
    "text": lambda *_: "no",
    "large": lambda *_: 2**32,
}

CONVERTERS = {
    "upper": lambda data: data.upper().decode(),
    "length": len,
    "number": lambda data: float(data),
    "none": lambda data: None,
    "fail": fail,
}


def dictionary(cursor, row):
    return {column[0]: value for column, value in zip(cursor.description, row)}


ROW_FACTORIES = {"none": None, "row": sqlite3.Row, "dict": dictionary, "last": lambda cursor, row: row[-1], "fail": fail}
TEXT_FACTORIES = {"str": str, "bytes": bytes, "upper": lambda data: data.decode().upper(), "fail": fail}


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


class Unknown:
    pass


def adapt_point(point):
    return f"{point.x};{point.y}"


sqlite3.register_adapter(Point, adapt_point)

OBJECTS = {
    "point": lambda: Point(4, -3),
    "unknown": Unknown,
    "date": lambda: datetime.date(2026, 11, 29),
    "view": lambda: memoryview(b"abcdef")[2:4],
    "surrogate": lambda: "a\ud8ffb",
}

HANDLERS = {"stop": lambda: True, "go": lambda: None, "fail": fail}

WAYS = {
    "default": lambda path: sqlite3.connect(path),
    "bytes": lambda path: sqlite3.connect(os.fsencode(path)),
    "path": lambda path: sqlite3.connect(pathlib.Path(path)),
    "temporary": lambda path: sqlite3.connect(""),
    "readonly": lambda path: sqlite3.connect(f"file:{path}?mode=ro", uri=True),
    "immutable": lambda path: sqlite3.connect(f"file:{path}?immutable=1&mode=ro", uri=True),
    "memory": lambda path: sqlite3.connect(f"file:{path.replace('/', '-')}?mode=memory&cache=shared", uri=True, timeout=0.05),
    "quotes": lambda path: sqlite3.connect(path),
}


def extension(name):
    """The path of a compiled extension; a file's suffix is the one of the system."""
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    return os.path.join(os.environ["EXTENSIONS"], name.replace(".so", suffix))


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.connections = {}
        self.db = self.cursor = self.blob = None
        self.traced, self.steps, self.lines = [], [], []

    def connect(self, name="db", path=":memory:", options={}):
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
        if path != ":memory:":
            path = os.path.join(self.folder, path)
        self.db = self.connections[name] = sqlite3.connect(path, **options)

    def open(self, how, path="db", name="db"):
        self.db = self.connections[name] = WAYS[how](os.path.join(self.folder, path))

    def files(self):
        return sorted(os.listdir(self.folder))

    def write_file(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def attach(self, name):
        self.db.execute(f"ATTACH '{self.folder}/{name}' AS other")

    def on(self, name):
        self.db = self.connections[name]

    def execute(self, *args):
        self.cursor = self.db.execute(*args)

    def execute_object(self, sql, name):
        self.cursor = self.db.execute(sql, (OBJECTS[name](),))

    def all(self, *args):
        return self.db.execute(*args).fetchall()

    def many(self, *args):
        return self.db.executemany(*args).rowcount

    def many_iterator(self, sql, sets):
        return self.db.executemany(sql, iter(sets)).rowcount

    def many_generator(self, sql, sets, at):
        def generate():
            for i, each in enumerate(sets):
                if i == at:
                    fail()
                yield each

        return self.db.executemany(sql, generate()).rowcount

    def script(self, sql):
        self.db.executescript(sql)

    def new_cursor(self):
        self.cursor = self.db.cursor()

    def cursor_execute(self, *args):
        self.cursor.execute(*args)

    def cursor_many(self, *args):
        self.cursor.executemany(*args)

    def cursor_script(self, *args):
        self.cursor.executescript(*args)

    def fetchone(self):
        return self.cursor.fetchone()

    def fetchmany(self, *size):
        return self.cursor.fetchmany(*size)

    def fetchall(self):
        return self.cursor.fetchall()

    def iterate(self):
        return list(self.cursor)

    def close_cursor(self):
        self.cursor.close()

    def cursor_get(self, name):
        return getattr(self.cursor, name)

    def cursor_set(self, name, value):
        setattr(self.cursor, name, value)

    def get(self, name):
        return getattr(self.db, name)

    def set(self, name, value):
        setattr(self.db, name, value)

    def commit(self):
        self.db.commit()

    def rollback(self):
        self.db.rollback()

    def close(self):
        self.db.close()

    def interrupt(self):
        self.db.interrupt()

    def create_function(self, name, n, function, deterministic=False):
        self.db.create_function(name, n, function and FUNCTIONS[function], deterministic=deterministic)

    def create_innocuous(self, *args):
        self.create_function(*args)

    def create_aggregate(self, name, n, cls):
        self.db.create_aggregate(name, n, cls and CLASSES[cls])

    def create_window_function(self, name, n, cls):
        self.db.create_window_function(name, n, cls and CLASSES[cls])

    def create_collation(self, name, collation):
        self.db.create_collation(name, collation and COLLATIONS[collation])

    def set_authorizer(self, authorizer):
        self.db.set_authorizer(authorizer and AUTHORIZERS[authorizer])

    def set_progress_handler(self, handler, n):
        self.db.set_progress_handler(handler and HANDLERS[handler], n)

    def trace(self, on):
        self.db.set_trace_callback(self.traced.append if on else None)

    def trace_failing(self):
        self.db.set_trace_callback(fail)

    def taken(self):
        traced, self.traced[:] = list(self.traced), []
        return traced

    def row_factory(self, name):
        self.db.row_factory = ROW_FACTORIES[name]

    def cursor_row_factory(self, name):
        self.cursor.row_factory = ROW_FACTORIES[name]

    def text_factory(self, name):
        self.db.text_factory = TEXT_FACTORIES[name]

    def converter(self, name, converter):
        sqlite3.register_converter(name, CONVERTERS[converter])

    def row(self, sql, key):
        return self.db.execute(sql).fetchone()[key]

    def row_keys(self, sql):
        return self.db.execute(sql).fetchone().keys()

    def blobopen(self, table, column, row, options={}):
        self.blob = self.db.blobopen(table, column, row, **options)

    def blob_do(self, method, *args):
        return getattr(self.blob, method)(*args)

    def blob_length(self):
        return len(self.blob)

    def dump(self, filter=None):
        self.lines = list(self.db.iterdump(filter=filter) if filter is not None else self.db.iterdump())
        return self.lines

    def restored(self, sql):
        copy = sqlite3.connect(":memory:")
        copy.executescript("\n".join(self.lines))
        return copy.execute(sql).fetchall()

    def backup(self, sql, options={}):
        copy = sqlite3.connect(":memory:")
        self.db.backup(copy, progress=lambda *step: self.steps.append(step), **options)
        return copy.execute(sql).fetchall()

    def backup_failing(self):
        self.db.backup(sqlite3.connect(":memory:"), progress=fail)

    def backup_beside_own_write(self):
        def tell(*step):
            self.steps.append(step[0])
            if len(self.steps) == 3:
                fail()

        self.db.backup(sqlite3.connect(":memory:"), progress=tell, sleep=0.001)

    def backup_modifying(self, sql):
        def write(*step):
            if not self.steps:
                self.db.execute("INSERT INTO foo VALUES ('late')")
                self.db.commit()
            self.steps.append(step)

        copy = sqlite3.connect(":memory:")
        self.db.backup(copy, pages=2, progress=write)
        return copy.execute(sql).fetchall()

    def backup_wrong(self, what):
        copy = sqlite3.connect(":memory:")
        self.db.backup(*([None] if what == "target" else [copy]), **({"progress": "bar"} if what == "progress" else {}))

    def backup_path(self, path):
        self.db.backup(os.path.join(self.folder, path))

    def backup_into(self, name):
        self.db.backup(self.connections[name])

    def progressed(self):
        return self.steps

    def serialized(self, sql):
        copy = sqlite3.connect(":memory:")
        copy.deserialize(self.db.serialize())
        return copy.execute(sql).fetchall()

    def deserialize(self, data):
        self.db.deserialize(data)

    def getlimit(self, category):
        return self.db.getlimit(category)

    def setlimit(self, category, limit):
        return self.db.setlimit(category, limit)

    def enable_load_extension(self, enabled):
        self.db.enable_load_extension(enabled)

    def load_extension(self, name):
        self.db.load_extension(extension(name))

    def load_path(self, path):
        self.db.load_extension(path)

    def load_entry(self, name, entry):
        # Python 3.12 has a keyword for it.
        self.db.execute("SELECT load_extension(?, ?)", (extension(name), entry)).fetchall()

    def load_by_sql(self, name):
        self.db.execute("SELECT load_extension(?)", (extension(name),)).fetchall()

    def limit(self, category, limit):
        self.db.setlimit(category, limit)

    def config(self, name, *on):
        op = getattr(sqlite3, name)
        return self.db.setconfig(op, *on) if on else self.db.getconfig(op)

    def module(self, name):
        value = getattr(sqlite3, name)
        if not isinstance(value, type):
            return value
        return [each.__name__ for each in value.__mro__ if each.__module__ == "sqlite3"]


def outcome(work):
    try:
        return {"ok": shown(work())}
    except sqlite3.Warning:
        return {"error": "Warning"}
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", None)
        return {"error": type(error).__name__, **({"code": code} if code else {})}
    except ARGUMENT:
        return {"error": "argument"}
    except Exception as error:
        return {"error": "thrown" if isinstance(error, ZeroDivisionError) else type(error).__name__}


def perform(steps):
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        if steps[0][0] != "connect":
            run.connect()
        answers = [outcome(lambda: getattr(run, step[0])(*given(step[1:]))) for step in steps]
        for connection in run.connections.values():
            connection.close()
        return answers


sys.unraisablehook = lambda *_: None
answers = [perform(case["steps"]) for case in json.load(sys.stdin)]
json.dump({"version": list(sys.version_info[:2]), "answers": answers}, sys.stdout)
