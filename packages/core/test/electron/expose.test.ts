import { inspect } from "node:util";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { capabilities, createPool, type Pool } from "@sqlite-aio/core";
import { exposePool, type ExposeOptions, type WithoutPool } from "@sqlite-aio/core/electron";
import { type Client, createBridge, createClient, RemoteError } from "@sqlite-aio/core/electron/preload";
import { drizzle } from "@sqlite-aio/core/drizzle";
import { knexClient } from "@sqlite-aio/core/knex";
import * as columns from "drizzle-orm/sqlite-core";
import knex from "knex";
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest";
import { rejection, temporaryPath } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { acrossContextBridge, FakeIpcMain, openPage, type Page } from "./fake-electron.ts";
import { gate } from "../support/gate.ts";

interface Note {
  id: number;
  text: string;
}

function notes(pool: Pool) {
  return {
    add: (text: string) => pool.run("INSERT INTO note (text) VALUES (?)", [text]),
    all: () => pool.all<Note>("SELECT id, text FROM note ORDER BY id"),
    count: () => pool.get<{ n: number }>("SELECT count(*) AS n FROM note"),
    each: () => pool.iterate<Note>("SELECT id, text FROM note ORDER BY id"),
    broken: () => pool.all("SELECT * FROM no_such_table WHERE secret = ?", ["my password"]),
    blob: (bytes: Uint8Array) => pool.get<{ bytes: Buffer }>("SELECT ? AS bytes", [bytes]),
  };
}

type Api = ReturnType<typeof notes>;

interface Opened {
  readonly pool: Pool;
  readonly ipcMain: FakeIpcMain;
  readonly page: Page;
  readonly client: Client<Api>;
  readonly undo: () => void;
}

async function opened(options: ExposeOptions = {}): Promise<Opened> {
  const pool = await createPool(await temporaryPath(), { readers: 2 });
  onTestFinished(() => pool.close());
  await pool.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)");
  const ipcMain = new FakeIpcMain();
  const undo = exposePool(ipcMain, notes(pool), options);
  onTestFinished(undo);
  const page = openPage(ipcMain);
  return { pool, ipcMain, page, undo, client: createClient<Api>(page.ipcRenderer) };
}

/** A page that may call these methods. */
function exposed<M extends Record<string, (...args: never[]) => unknown>>(
  methods: M,
  options: ExposeOptions = {},
  url?: string,
): { client: Client<M>; page: Page; ipcMain: FakeIpcMain; undo: () => void } {
  const ipcMain = new FakeIpcMain();
  const undo = exposePool(ipcMain, methods, options);
  onTestFinished(undo);
  const page = openPage(ipcMain, url);
  return { client: createClient<M>(page.ipcRenderer), page, ipcMain, undo };
}

async function remoteError(work: Promise<unknown>): Promise<RemoteError> {
  const error = await rejection(work);
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
}

/** Numbers from 0 on, and how many of them were asked for. */
function counter(end = Number.POSITIVE_INFINITY) {
  const seen = { asked: 0, returned: gate() };
  let done = false;
  const source: AsyncIterableIterator<number> = {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: async () => {
      if (done || seen.asked >= end) return { value: undefined, done: true };
      return { value: seen.asked++, done: false };
    },
    return: async () => {
      done = true;
      seen.returned.open();
      return { value: undefined, done: true };
    },
  };
  return { source, seen };
}

describe("a page's calls", () => {
  it("reach the named methods, and their values come back as they are", async () => {
    const { client } = await opened();
    expect(await client.add("first")).toEqual({ changes: 1, lastInsertRowid: 1 });
    await Promise.all([client.add("second"), client.add("third")]);
    expect((await client.all()).map(({ text }) => text)).toEqual(["first", "second", "third"]);
    expect(await client.count()).toEqual({ n: 3 });
    expectTypeOf(client.all).returns.resolves.toEqualTypeOf<{ id: number; text: string }[]>();
    expectTypeOf(client.add).parameters.toEqualTypeOf<[text: string]>();
  });

  it("are answered by envelopes: ok with a value, or not ok with name, code and message alone", async () => {
    const { client, page } = await opened();
    await client.add("once");
    await rejection(client.add("once"));
    await rejection(client.broken());
    expect(page.answers).toEqual([
      { ok: true, value: { changes: 1, lastInsertRowid: 1 } },
      {
        ok: false,
        error: {
          name: "IntegrityError",
          code: "SQLITE_CONSTRAINT_UNIQUE",
          message: "UNIQUE constraint failed: note.text",
        },
      },
      {
        ok: false,
        error: { name: "OperationalError", code: "SQLITE_ERROR", message: "no such table: no_such_table" },
      },
    ]);
    expect(JSON.stringify(page.answers)).not.toMatch(/SELECT|INSERT|password|secret/);
  });

  it("tell the SQL of an error where the main process says so, and never the parameters", async () => {
    const { client, page } = await opened({ includeSql: true });
    const error = await remoteError(client.broken());
    expect(error.sql).toBe("SELECT * FROM no_such_table WHERE secret = ?");
    expect(JSON.stringify(page.answers)).not.toContain("my password");
  });

  it("reject with errors that have their code and name, also through contextBridge", async () => {
    const { client, page } = await opened();
    const bridged = createClient<Api>(acrossContextBridge(createBridge(page.ipcRenderer)));
    for (const one of [client, bridged]) {
      await one.add("twice").catch(() => {});
      const error = await remoteError(one.add("twice"));
      expect(error).toMatchObject({
        name: "IntegrityError",
        code: "SQLITE_CONSTRAINT_UNIQUE",
        message: "UNIQUE constraint failed: note.text",
        sql: undefined,
      });
      expect(error.stack).toContain("expose.test.ts");
    }
  });

  it("reject also where something else than an error is thrown", async () => {
    const { client } = exposed({
      text: () => {
        throw "just text";
      },
      plain: () => Promise.reject(new RangeError("too far")),
    });
    expect(await remoteError(client.text())).toMatchObject({ name: "Error", message: "just text" });
    expect(await remoteError(client.plain())).toMatchObject({ name: "RangeError", code: undefined });
  });

  it("tell nothing of a statement or its values by the messages of query builders, with or without its SQL", async () => {
    for (const includeSql of [false, true]) {
      const pool = await createPool(await temporaryPath());
      onTestFinished(() => pool.close());
      await pool.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)");
      await pool.run("INSERT INTO note VALUES (1, 'first')");
      const note = columns.sqliteTable("note", { id: columns.integer(), text: columns.text() });
      const drizzled = drizzle(pool);
      const knexed = knex({ client: knexClient(pool) });
      const { client, page } = exposed(
        {
          byDrizzle: (value: string) => drizzled.insert(note).values({ id: 1, text: value }),
          byDrizzleInside: (value: string) =>
            drizzled.transaction((tx) => tx.insert(note).values({ id: 1, text: value })),
          byKnex: (value: string) => knexed("note").insert({ id: 1, text: value }),
          byKnexInside: (value: string) =>
            knexed.transaction((trx) => trx("note").insert({ id: 1, text: value })),
          wrapped: (value: string) =>
            drizzled
              .insert(note)
              .values({ id: 1, text: value })
              .catch((cause: unknown) => {
                throw new Error("the note could not be kept", { cause });
              }),
          retold: (value: string) =>
            knexed("note")
              .insert({ id: 1, text: value })
              .catch((cause: Error) => {
                throw new Error(`not kept: ${cause.message}`, { cause });
              }),
          unbound: (value: string) => knexed.raw("INSERT INTO note VALUES (1, ?, ?)", [value]),
        },
        { includeSql },
      );
      for (const name of ["byDrizzle", "byDrizzleInside", "byKnex", "byKnexInside"] as const) {
        expect(await remoteError(client[name]("SECRET")), name).toMatchObject({
          name: "IntegrityError",
          code: "SQLITE_CONSTRAINT_PRIMARYKEY",
          message: "UNIQUE constraint failed: note.id",
        });
      }
      expect(await remoteError(client.wrapped("SECRET"))).toMatchObject({
        message: "the note could not be kept",
      });
      expect(await remoteError(client.retold("SECRET"))).toMatchObject({
        message: "not kept: UNIQUE constraint failed: note.id",
      });
      await remoteError(client.unbound("SECRET"));
      const told = JSON.stringify(page.answers);
      expect(told).not.toContain("SECRET");
      expect(/insert/i.test(told)).toBe(includeSql);
    }
  });

  it("tell nothing of a statement that an error wraps by whatever property, or has only the text of", async () => {
    const pool = await createPool(await temporaryPath());
    onTestFinished(() => pool.close());
    await pool.exec(
      "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note VALUES (1, 'first')",
    );
    const note = columns.sqliteTable("note", { id: columns.integer(), text: columns.text() });
    const knexed = knex({ client: knexClient(pool) });
    const failed = async (): Promise<Error> =>
      (await rejection(knexed("note").insert({ id: 1, text: "SECRET" }))) as Error;
    const drizzled = async (): Promise<Error> =>
      (await rejection(drizzle(pool).insert(note).values({ id: 1, text: "SECRET" }))) as Error;
    class NativeError extends Error {
      readonly nativeError: Error;
      constructor(nativeError: Error) {
        super(nativeError.message);
        this.nativeError = nativeError;
      }
    }
    const cyclic = async (): Promise<Error> => {
      const error = await failed();
      const one = Object.assign(new Error(`one: ${error.message}`), { of: [{ error }, error] });
      return Object.assign(one, { self: one });
    };
    const { client, page } = exposed({
      native: async () => Promise.reject(new NativeError(await failed())),
      all: async () => {
        const errors = [new TypeError("other"), await failed(), await drizzled()];
        throw new AggregateError(errors, errors.map(({ message }) => message).join("; "));
      },
      cyclic: async () => Promise.reject(await cyclic()),
      deep: async () => {
        const error = await failed();
        throw new Error(`a: b: ${error.message}`, { cause: new NativeError(new NativeError(error)) });
      },
      text: async () => {
        throw (await drizzled()).message;
      },
      retold: async () => Promise.reject(new Error(`not kept: ${(await drizzled()).message}`)),
      undefinedValue: () => knexed("note").where({ id: undefined, text: "SECRET" }),
      undefinedBinding: () =>
        knexed.raw("SELECT 'SECRET' FROM note WHERE id = :id", { id: undefined as unknown as string }),
      value: async () => ({ error: new NativeError(await failed()) }),
    });
    const unique = "UNIQUE constraint failed: note.id";
    expect(await remoteError(client.native())).toMatchObject({ message: unique });
    expect(await remoteError(client.all())).toMatchObject({ message: `other; ${unique}; ${unique}` });
    expect(await remoteError(client.cyclic())).toMatchObject({ message: `one: ${unique}` });
    expect(await remoteError(client.deep())).toMatchObject({ message: `a: b: ${unique}` });
    expect(await remoteError(client.text())).toMatchObject({ message: "a statement failed" });
    expect(await remoteError(client.retold())).toMatchObject({ message: "not kept: a statement failed" });
    expect(await remoteError(client.undefinedValue())).toMatchObject({
      message: "Undefined binding(s) detected when compiling SELECT. Undefined column(s): [id]",
    });
    expect(await remoteError(client.undefinedBinding())).toMatchObject({
      message: "Undefined binding(s) detected for keys [id] when compiling RAW",
    });
    expect(((await client.value()) as unknown as { error: Error }).error.message).toBe(unique);
    expect(inspect(page.answers, { depth: null })).not.toMatch(/SECRET|insert|SELECT '/);
  });

  it("send of errors among their values what is told of one that is thrown: no stack, cause or statement", async () => {
    const { client } = exposed({
      all: () =>
        Promise.allSettled([
          Promise.reject(
            Object.assign(new RangeError("Failed query: SELECT 'SECRET'", { cause: new Error("inner") }), {
              query: "SELECT 'SECRET'",
            }),
          ),
          Promise.reject(new TypeError("too far", { cause: new Error("SECRET") })),
        ]),
    });
    const [first, second] = (await client.all()) as unknown as { reason: Error }[];
    expect(first!.reason).toBeInstanceOf(Error);
    expect(first!.reason.message).toBe("inner");
    expect(second!.reason).toMatchObject({
      name: "TypeError",
      message: "too far",
      stack: "TypeError: too far",
    });
    expect(second!.reason.cause).toBeUndefined();
    expect(first!.reason.stack).toBe("Error: inner");
  });

  it("reject with a code-less error where what is thrown can hardly be looked at", async () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const thrown: unknown[] = [
      Object.create(null),
      revoked.proxy,
      null,
      undefined,
      Object.defineProperty(new Error("hidden"), "message", {
        get: () => {
          throw new Error("no");
        },
      }),
      { message: { toString: 1 } },
      Object.assign(new Error("of another kind"), { name: Symbol("name"), code: 7 }),
    ];
    const { client } = exposed({
      fail: (at: number) => {
        throw thrown[at];
      },
      async *tap(at: number) {
        yield 1;
        throw thrown[at];
      },
    });
    for (const at of thrown.keys()) {
      expect(await remoteError(client.fail(at)), String(at)).toMatchObject({
        name: "Error",
        code: undefined,
      });
      const numbers = await client.tap(at);
      await numbers.next();
      expect(await remoteError(numbers.next()), String(at)).toMatchObject({ name: "Error" });
    }
  });

  it("of a method that was not named are refused, and so are a pool's own", async () => {
    const { client } = await opened();
    const any = client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    for (const name of ["exec", "all2", "toString", "constructor", "__proto__", "open"]) {
      const error = await remoteError(any[name]!("DROP TABLE note"));
      expect(error).toMatchObject({ name: "IpcError", code: "SQLITE_AIO_IPC_UNKNOWN" });
    }
  });

  it("of a pool that is closed reject as closed", async () => {
    const { client, pool } = await opened();
    await pool.close();
    const error = await remoteError(client.all());
    expect(error).toMatchObject({ name: "ConnectionClosedError", code: "SQLITE_AIO_CLOSED" });
  });

  it("with something that cannot be sent reject with a code", async () => {
    const { client } = exposed({ take: (value: unknown) => typeof value });
    const error = await remoteError(client.take(() => {}));
    expect(error.code).toBe("SQLITE_AIO_IPC_FAILED");
  });

  it("reject with a code also where what cannot be sent is no error of this world", async () => {
    const { ipcRenderer } = openPage(new FakeIpcMain());
    const client = createClient<{ take: (value: unknown) => void }>({
      ...ipcRenderer,
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as one of another realm, which is no Error here
      invoke: () => Promise.reject("An object could not be cloned."),
    });
    expect(await remoteError(client.take(1))).toMatchObject({
      code: "SQLITE_AIO_IPC_FAILED",
      message: "An object could not be cloned.",
    });
  });

  it("do not make a promise of the client", async () => {
    const { client } = await opened();
    expect(await Promise.resolve(client)).toBe(client);
    expect(Object.keys(client)).toEqual([]);
  });

  it("go over the channel that both sides were given", async () => {
    const { ipcMain, page } = exposed({ one: () => 1 }, { channel: "shop" });
    expect([...ipcMain.handlers.keys()]).toEqual(["shop:one"]);
    const client = createClient<{ one: () => number }>(page.ipcRenderer, { channel: "shop" });
    expect(await client.one()).toBe(1);
  });
});

describe("what is exposed", () => {
  it("of a pool is only what is named, with the pool as the first argument", async () => {
    const { pool } = await opened();
    const methods = {
      add: (db: Pool, text: string) => db.run("INSERT INTO note (text) VALUES (?)", [text]),
      each: (db: Pool) => db.iterate<Note>("SELECT id, text FROM note"),
    };
    const ipcMain = new FakeIpcMain();
    exposePool(ipcMain, pool, { methods });
    expect([...ipcMain.handlers.keys()]).toEqual(["sqlite-aio:add", "sqlite-aio:each"]);
    const client = createClient<WithoutPool<typeof methods>>(openPage(ipcMain).ipcRenderer);
    await client.add("by the pool");
    expectTypeOf(client.add).parameters.toEqualTypeOf<[text: string]>();
    for await (const note of client.each()) expect(note).toEqual({ id: 1, text: "by the pool" });
  });

  it("is nothing of a pool without named methods: that is a TypeError that shows how", async () => {
    const { pool } = await opened();
    const ipcMain = new FakeIpcMain();
    const call = exposePool as (...args: unknown[]) => unknown;
    expect(() => call(ipcMain, pool)).toThrow(TypeError);
    expect(() => call(ipcMain, pool, {})).toThrow(/exposePool\(ipcMain, pool, \{ methods:/);
    expect(() => call(ipcMain, pool, { methods: pool })).toThrow("plain object of functions");
    expect(() => call(ipcMain, {})).toThrow("no methods are named");
    expect(() => call(ipcMain, { pool })).toThrow('"pool" is no function');
    // oxlint-disable-next-line unicorn/no-thenable -- which is what is refused
    expect(() => call(ipcMain, { then: () => 1 })).toThrow('"then"');
    expect(() => call(ipcMain, { a: () => 1 }, { methods: {} })).toThrow(TypeError);
    expect(() => call(ipcMain, null)).toThrow(TypeError);
    expect(ipcMain.handlers.size).toBe(0);
  });

  it("is all or nothing: a name that is taken leaves no other behind", () => {
    const ipcMain = new FakeIpcMain();
    ipcMain.handle("sqlite-aio:b", () => 0);
    expect(() => exposePool(ipcMain, { a: () => 1, b: () => 2 })).toThrow("second handler");
    expect([...ipcMain.handlers.keys()]).toEqual(["sqlite-aio:b"]);
  });

  it("can be taken back: handlers are gone, streams end, signals abort", async () => {
    const { source, seen } = counter();
    const running = gate();
    let given: AbortSignal | undefined;
    const { client, ipcMain, undo } = exposed({
      numbers: () => source,
      wait: (signal?: AbortSignal) => {
        given = signal;
        running.open();
        return new Promise(() => {});
      },
    });
    const stream = await client.numbers();
    await stream.next();
    client.wait(new AbortController().signal).catch(() => {});
    await running.opened;
    undo();
    undo();
    await seen.returned.opened;
    expect(given?.aborted).toBe(true);
    expect(ipcMain.handlers.size).toBe(0);
    expect(ipcMain.eventNames()).toEqual([]);
    const error = await remoteError(
      (async () => {
        for await (const _ of stream);
      })(),
    );
    expect(error.code).toBe("SQLITE_AIO_IPC_STREAM");
  });

  it.each(["are taken back", "lose their window"])(
    "ends streams that are on their way when methods %s",
    async (how) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      onTestFinished(() => void vi.useRealTimers());
      const offered = counter();
      const late = counter();
      const running = gate();
      const goOn = gate();
      const { page, ipcMain, undo } = exposed({
        offered: () => offered.source,
        async late() {
          running.open();
          await goOn.opened;
          return late.source;
        },
      });
      const bridge = createBridge(page.ipcRenderer);
      const answer = bridge.call("late", []);
      expect(await bridge.call("offered", [])).toMatchObject({ ok: true });
      await running.opened;
      expect(vi.getTimerCount()).toBe(1);
      if (how === "are taken back") undo();
      else page.webContents.emit("destroyed");
      await offered.seen.returned.opened;
      goOn.open();
      expect(await answer).toMatchObject({ ok: false, error: { code: "SQLITE_AIO_IPC_STREAM" } });
      await late.seen.returned.opened;
      // Neither waits for a page to open it.
      expect(vi.getTimerCount()).toBe(0);
      undo();
      expect(ipcMain.eventNames()).toEqual([]);
    },
  );

  it("leaves no listeners behind when it is taken back", async () => {
    const ipcMain = new FakeIpcMain();
    const page = openPage(ipcMain);
    for (let i = 0; i < 3; i++) {
      const undo = exposePool(ipcMain, { one: () => 1 });
      await createClient<{ one: () => number }>(page.ipcRenderer).one();
      expect(page.webContents.listenerCount("destroyed")).toBe(1);
      undo();
    }
    expect(page.webContents.listenerCount("destroyed")).toBe(0);
  });

  it("refuses options that mean nothing", () => {
    const ipcMain = new FakeIpcMain();
    const expose = (options: object) => () => exposePool(ipcMain, { a: () => 1 }, options);
    expect(expose({ origins: "file://" })).toThrow(TypeError);
    for (const origin of ["localhost", "https://a.example/path", "data:", 1, "about:blank"]) {
      expect(expose({ origins: [origin] }), String(origin)).toThrow(TypeError);
    }
    expect(expose({ webContents: 1 })).toThrow(TypeError);
    expect(expose({ allow: true })).toThrow(TypeError);
    expect(expose({ maxStreams: -1 })).toThrow(RangeError);
    expect(expose({ channel: 1 })).toThrow(TypeError);
    expect(expose(null as never)).toThrow("the options must be an object");
    expect(ipcMain.handlers.size).toBe(0);
  });
});

describe("the sender", () => {
  const counting = (options: ExposeOptions = {}, url?: string) => {
    const count = vi.fn<() => { n: number }>(() => ({ n: 0 }));
    return { count, ...exposed({ count }, options, url) };
  };

  it.each([
    ["a page of the web", "https://evil.example/index.html"],
    ["a page of this machine that is not named", "http://localhost:5173/"],
    ["text that poses as a page", "data:text/html,<script></script>"],
    ["an empty page", "about:blank"],
    ["a page whose address is like ours", "https://file.example/file:///app/index.html"],
    ["an object of a page", "blob:file:///0b1c"],
    ["something without an address", ""],
  ])("is refused by default if it is %s", async (_, url) => {
    const { client, count } = counting({}, url);
    const error = await remoteError(client.count());
    expect(error).toMatchObject({ name: "IpcError", code: "SQLITE_AIO_IPC_SENDER" });
    expect(count).not.toHaveBeenCalled();
  });

  it("may be a page from an origin that is named, and from no other", async () => {
    const origins = ["app://bundle", "http://localhost:5173"];
    for (const url of ["app://bundle/notes/1?x#y", "http://localhost:5173/a"]) {
      const { client } = counting({ origins }, url);
      expect(await client.count(), url).toEqual({ n: 0 });
    }
    for (const url of ["app://other/", "http://localhost:5174/", "file:///app/index.html", "app:bundle"]) {
      const { client } = counting({ origins }, url);
      expect((await remoteError(client.count())).message, url).toContain('option "origins"');
    }
  });

  it("is refused if it is a frame inside a page, or a page that is gone", async () => {
    const { client, page } = counting();
    page.frame.parent = {};
    expect((await remoteError(client.count())).message).toContain("main frame");
    const { ipcMain } = counting();
    const answer = await ipcMain.handlers.get("sqlite-aio:count")!({
      sender: page.webContents,
      senderFrame: null,
    });
    expect(answer).toMatchObject({ ok: false, error: { code: "SQLITE_AIO_IPC_SENDER" } });
  });

  it("may be limited to windows, also to those that are opened later", async () => {
    const windows = new Set<unknown>();
    const { client, page } = counting({ webContents: windows });
    expect((await remoteError(client.count())).message).toContain('option "webContents"');
    windows.add(page.webContents);
    expect(await client.count()).toEqual({ n: 0 });
  });

  it("is refused by a check that throws, and by a frame that is gone and throws, wherever they are asked", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    let allowing = true;
    const { client, page, ipcMain } = exposed(
      { one: () => 1, numbers: () => counter().source },
      {
        allow: () => {
          if (allowing) return true;
          throw Object.create(null);
        },
      },
    );
    const stream = async (): Promise<string> => {
      const envelope = await createBridge(page.ipcRenderer).call("numbers", []);
      return envelope.ok && "stream" in envelope ? envelope.stream : "";
    };
    const unknown = { ok: false, error: { code: "SQLITE_AIO_IPC_UNKNOWN" } };
    const first = await stream();
    allowing = false;
    expect(await remoteError(client.one())).toMatchObject({ code: "SQLITE_AIO_IPC_SENDER" });
    expect(await createBridge(page.ipcRenderer).open(first).pull()).toMatchObject(unknown);
    ipcMain.emit("sqlite-aio/abort", { sender: page.webContents, senderFrame: page.frame }, "x");
    expect(warned).toHaveBeenCalledTimes(3);
    allowing = true;
    Object.defineProperty(page.frame, "url", {
      get: () => {
        throw new Error("Render frame was disposed before WebFrameMain could be accessed");
      },
    });
    expect(await remoteError(client.one())).toMatchObject({
      code: "SQLITE_AIO_IPC_SENDER",
      message: "the page that called is gone",
    });
    expect(await createBridge(page.ipcRenderer).open(first).pull()).toMatchObject(unknown);
    ipcMain.emit("sqlite-aio/abort", { sender: page.webContents, senderFrame: page.frame }, "x");
  });

  it("may be checked by a function, where only true is yes", async () => {
    let answer: unknown = Promise.resolve(true);
    const { client } = counting({ allow: () => answer as boolean });
    expect((await remoteError(client.count())).message).toContain('option "allow"');
    answer = false;
    expect((await remoteError(client.count())).code).toBe("SQLITE_AIO_IPC_SENDER");
    answer = true;
    expect(await client.count()).toEqual({ n: 0 });
  });
});

describe("values", () => {
  const cases: [string, unknown, unknown][] = [
    ["bigints", { n: 2n ** 62n }, { n: 2n ** 62n }],
    ["dates, maps, sets", [new Date(5), new Map([[1, new Set(["a"])]])], undefined],
    ["a Buffer of its own memory", Buffer.from(new Uint8Array([1, 2, 3]).buffer), new Uint8Array([1, 2, 3])],
    ["parts of larger memory", new Uint16Array([9, 8, 7]).subarray(1), new Uint16Array([8, 7])],
    ["bytes of their own memory", new Uint8Array([1, 2, 3]), undefined],
    ["numbers of their own memory", [new Float64Array([0.5, -1]), new ArrayBuffer(3)], undefined],
    ["a view", new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 2, 1), undefined],
    ["a bare object", Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ["nothing", undefined, undefined],
    ["null", { a: null, b: [null] }, undefined],
    ["what has a class, as a plain object", new RunResultLike(), { changes: 3 }],
  ];

  it.each(cases)("of the kind of %s arrive", async (_, value, expected) => {
    const { client } = exposed({ give: () => value });
    expect(await client.give()).toEqual(expected ?? structuredClone(value));
  });

  it("of another realm arrive", async () => {
    const value: unknown = runInNewContext(
      "({ map: new Map([[1, new Set([new Date(5)])]]), bytes: new Uint8Array([1, 2]), error: new TypeError('no') })",
    );
    const { client } = exposed({ give: () => value });
    expect(await client.give()).toEqual({
      map: new Map([[1, new Set([new Date(5)])]]),
      bytes: new Uint8Array([1, 2]),
      error: new TypeError("no"),
    });
  });

  it("that are proxies arrive as what they show", async () => {
    const { client } = exposed({
      row: () => new Proxy({ a: 1, b: new Proxy([1, 2], {}) }, {}),
    });
    expect(await client.row()).toEqual({ a: 1, b: [1, 2] });
  });

  it("keep the holes of an array, however many a page has sent", async () => {
    const { client } = exposed({ echo: (value: unknown) => value });
    const sparse: unknown[] = [1, undefined];
    sparse.length = 4_294_967_295;
    sparse[3_000_000_000] = { a: 1 };
    const answer = (await client.echo({ sparse })) as { sparse: unknown[] };
    expect(answer.sparse.length).toBe(4_294_967_295);
    expect(Object.entries(answer.sparse)).toEqual([
      ["0", 1],
      ["1", undefined],
      ["3000000000", { a: 1 }],
    ]);
    expect(await client.echo([undefined, 1])).toEqual([undefined, 1]);
  });

  it("keep a column that is called __proto__", async () => {
    const { pool } = await opened();
    const { client } = exposed({ give: () => pool.get(`SELECT x'01' AS "__proto__", 1 AS a`) });
    const row = (await client.give()) as object;
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(Object.getOwnPropertyDescriptor(row, "__proto__")?.value).toEqual(new Uint8Array([1]));
  });

  it("of a small Buffer do not bring along the memory that it shares with others", async () => {
    const secret = Buffer.from("the password of somebody else");
    const { client, page } = exposed({ give: () => ({ deep: [Buffer.from("mine")] }) });
    const { deep } = await client.give();
    expect(Object.getPrototypeOf(deep[0])).toBe(Uint8Array.prototype);
    expect(Buffer.from(deep[0]!).toString()).toBe("mine");
    expect(deep[0]!.buffer.byteLength).toBe(4);
    expect(page.answers).toHaveLength(1);
    expect(secret.buffer.byteLength).toBeGreaterThan(secret.byteLength);
  });

  it("go both ways, blobs as Uint8Array", async () => {
    const { client } = await opened();
    const row = await client.blob(new Uint8Array([7, 8]));
    expect(row).toEqual({ bytes: new Uint8Array([7, 8]) });
    expectTypeOf(row).toEqualTypeOf<{ bytes: Uint8Array } | undefined>();
  });

  const circle: unknown[] = [];
  circle.push(circle);
  it.each<[string, unknown]>([
    ["a function", { fn: () => 1 }],
    ["a symbol", [Symbol("s")]],
    ["a promise inside", { later: Promise.resolve(1) }],
    ["a stream inside", { rows: counter().source }],
    ["itself inside", circle],
    ["a thousand arrays in each other", Array.from({ length: 1000 }).reduce((inner) => [inner], [])],
    ["shared memory", new SharedArrayBuffer(4)],
  ])("with %s are refused with a code", async (_, value) => {
    const { client } = exposed({ give: () => value });
    expect(await remoteError(client.give())).toMatchObject({
      name: "IpcError",
      code: "SQLITE_AIO_IPC_CLONE",
    });
  });
});

describe("values with an object in many places", () => {
  it("arrive as they are, and are looked at once", async () => {
    let shared: unknown = { deep: Buffer.from("small") };
    // 2 to the 60th places.
    for (let i = 0; i < 60; i++) shared = [shared, shared];
    const { client } = exposed({ give: () => shared, stream: () => itemsOf([shared, shared]) });
    let value = (await client.give()) as unknown[];
    for (let i = 0; i < 59; i++) {
      expect(value[0]).toBe(value[1]);
      value = value[0] as unknown[];
    }
    expect(value[0]).toEqual({ deep: new Uint8Array(Buffer.from("small")) });
    const items: unknown[] = [];
    for await (const item of client.stream()) items.push(item);
    expect(items.length).toBe(2);
  });
});

async function* itemsOf(items: readonly unknown[]): AsyncGenerator {
  yield* items;
}

class RunResultLike {
  changes = 3;
}

describe("signals", () => {
  it("arrive as signals, and give the call up at once with their reason", async () => {
    const running = gate();
    let given: AbortSignal | undefined;
    const { client } = exposed({
      search: (_: string, signal?: AbortSignal) => {
        given = signal;
        running.open();
        return new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error));
        });
      },
    });
    const controller = new AbortController();
    const search = client.search("a", controller.signal);
    await running.opened;
    expect(given).toBeInstanceOf(AbortSignal);
    expect(given?.aborted).toBe(false);
    const reason = new Error("another letter was typed");
    controller.abort(reason);
    expect(await rejection(search)).toBe(reason);
    await eventually(() => expect(given?.aborted).toBe(true));
  });

  it("give up a pool's statement", async () => {
    const { pool } = await opened();
    const { client } = exposed({
      count: (signal?: AbortSignal) =>
        pool.get(
          "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000000) SELECT count(*) FROM c",
          [],
          { signal },
        ),
    });
    const error = await rejection(client.count(AbortSignal.timeout(20)));
    expect(error).toMatchObject({ name: "TimeoutError" });
  });

  it("that abort before the answer is here end the stream that it is", async () => {
    const { source, seen } = counter();
    const running = gate();
    const goOn = gate();
    let given: AbortSignal | undefined;
    const { client, page } = exposed({
      async numbers(signal: AbortSignal) {
        given = signal;
        running.open();
        await goOn.opened;
        return source;
      },
    });
    const controller = new AbortController();
    const reason = new Error("enough");
    const answer = rejection(client.numbers(controller.signal));
    await running.opened;
    controller.abort(reason);
    expect(await answer).toBe(reason);
    goOn.open();
    await seen.returned.opened;
    expect(given?.aborted).toBe(true);
    expect(page.ports.length).toBe(1);
    expect(seen.asked).toBe(0);
  });

  it("of a page come as text from one that may call, and anything else is nothing to the main process", async () => {
    let asked = false;
    let aborted = false;
    const { page } = exposed(
      {
        wait: (signal: AbortSignal) =>
          new Promise((_, reject) => {
            asked = true;
            signal.addEventListener("abort", () => {
              aborted = true;
              reject(new Error("given up"));
            });
          }),
      },
      {},
    );
    const bridge = createBridge(page.ipcRenderer);
    const answer = bridge.call("wait", [{ "sqlite-aio:signal": "one" }]);
    await eventually(() => expect(asked).toBe(true));
    const deep = Array.from({ length: 20_000 }).reduce<unknown[]>((inner) => [inner], []);
    for (const id of [{ toString: 1, valueOf: 1 }, null, ["one"]]) bridge.abort(id as never);
    // Too deep for the fake's structured clone, too.
    page.ipcRenderer.send = () => {};
    const event = { sender: page.webContents, senderFrame: page.frame };
    const { ipcMain } = page;
    ipcMain.emit("sqlite-aio/abort", event, deep);
    ipcMain.emit("sqlite-aio/abort", { ...event, senderFrame: { url: "https://evil.example/" } }, "one");
    ipcMain.emit("sqlite-aio/abort", { ...event, senderFrame: { url: "file:///a", parent: {} } }, "one");
    ipcMain.emit("sqlite-aio/abort", { ...event, senderFrame: null }, "one");
    await turn();
    expect(aborted).toBe(false);
    ipcMain.emit("sqlite-aio/abort", event, "one");
    expect(await answer).toMatchObject({ ok: false, error: { message: "given up" } });
  });

  it("that are aborted before the call keep it from being made", async () => {
    const method = vi.fn<(signal?: AbortSignal) => number>(() => 1);
    const { client } = exposed({ method });
    expect(await rejection(client.method(AbortSignal.abort("no")))).toBe("no");
    expect(method).not.toHaveBeenCalled();
  });

  it("of a window abort when it is destroyed, and of another page do not", async () => {
    const running = gate();
    let given: AbortSignal | undefined;
    const { client, page, ipcMain } = exposed({
      wait: (signal?: AbortSignal) => {
        given = signal;
        running.open();
        return new Promise(() => {});
      },
    });
    client.wait(new AbortController().signal).catch(() => {});
    await running.opened;
    openPage(ipcMain).webContents.emit("destroyed");
    expect(given?.aborted).toBe(false);
    page.webContents.emit("destroyed");
    expect(given?.aborted).toBe(true);
  });
});

describe("streams", () => {
  it("give all rows of a pool in order, awaited or iterated at once, also through contextBridge", async () => {
    const { client, page, pool } = await opened();
    await pool.run(
      "INSERT INTO note (text) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3000) SELECT 'note ' || n FROM c",
    );
    const bridged = createClient<Api>(acrossContextBridge(createBridge(page.ipcRenderer)));
    for (const one of [client, bridged]) {
      const ids: number[] = [];
      for await (const { id } of one.each()) ids.push(id);
      expect(ids).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1));
    }
    const stream = await client.each();
    expect((await stream.next()).value).toEqual({ id: 1, text: "note 1" });
    expectTypeOf(stream.next).returns.resolves.toEqualTypeOf<IteratorResult<{ id: number; text: string }>>();
    await stream.return();
    await eventually(() => expect(pool.stats().busy).toBe(0));
  });

  it("give items in order to steps that are taken without awaiting", async () => {
    const { client } = exposed({ numbers: () => counter(5).source });
    const stream = await client.numbers();
    const steps = await Promise.all(Array.from({ length: 7 }, () => stream.next()));
    expect(steps.map(({ value }) => value as unknown)).toEqual([0, 1, 2, 3, 4, undefined, undefined]);
    expect(await stream.next()).toEqual({ value: undefined, done: true });
  });

  it("can be iterated from where a step by hand has left them, awaited or not", async () => {
    const { client } = exposed({ numbers: () => counter(4).source });
    for (const stream of [client.numbers()[Symbol.asyncIterator](), await client.numbers()]) {
      expect(await stream.next()).toEqual({ value: 0, done: false });
      const rest: number[] = [];
      for await (const number of { [Symbol.asyncIterator]: () => stream }) rest.push(number);
      expect(rest).toEqual([1, 2, 3]);
      expect((stream as AsyncIterableIterator<number>)[Symbol.asyncIterator]()).toBe(stream);
    }
  });

  it("end for a step that waits when they are left, and can be left twice", async () => {
    const asked = gate();
    const { client, page } = exposed({
      never: () => ({
        ...counter().source,
        next: () => {
          asked.open();
          return new Promise<IteratorResult<number>>(() => {});
        },
      }),
    });
    const stream = await client.never();
    const step = stream.next();
    await asked.opened;
    const end = { value: undefined, done: true };
    expect(await stream.return()).toEqual(end);
    expect(await step).toEqual(end);
    expect(await stream.return()).toEqual(end);
    expect(await stream.next()).toEqual(end);
    await once(page.ports[0]!, "close");
  });

  it("can be left before their call is answered, and are ended when it is", async () => {
    const answer = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const { client } = exposed({
      late: async () => {
        await answer.promise;
        return {
          [Symbol.asyncIterator]: () => ({
            next: async () => ({ value: 1, done: false }),
            return: async () => {
              ended.resolve();
              return { value: undefined, done: true };
            },
          }),
        };
      },
      fails: async () => {
        await answer.promise;
        throw new Error("too late");
      },
    });
    const end = { value: undefined, done: true };
    for (const name of ["late", "fails"] as const) {
      const rows = (client[name]() as unknown as AsyncIterable<number>)[Symbol.asyncIterator]();
      const first = rows.next();
      expect(await rows.return!()).toEqual(end);
      expect(await first).toEqual(end);
      expect(await rows.next()).toEqual(end);
      expect(await rows.return!()).toEqual(end);
    }
    answer.resolve();
    await ended.promise;
  });

  it("that do not end well give a warning, and the page is none the wiser", async () => {
    const warned = once(process, "warning");
    const { source } = counter();
    const { client } = exposed({
      numbers: () => ({ ...source, return: () => Promise.reject(new Error("the tap is stuck")) }),
    });
    for await (const number of client.numbers()) {
      expect(number).toBe(0);
      break;
    }
    const [warning] = (await warned) as [Error];
    expect(warning.message).toBe("a stream did not end well: Error: the tap is stuck");
  });

  it("send one message at a time, however often a page asks meanwhile", async () => {
    const asked = gate();
    const goOn = gate();
    const { page } = exposed({
      async *numbers() {
        asked.open();
        await goOn.opened;
        yield 0;
        yield 1;
      },
    });
    const bridge = createBridge(page.ipcRenderer);
    const envelope = await bridge.call("numbers", []);
    if (!envelope.ok || !("stream" in envelope)) throw new Error("no stream");
    const items = bridge.open(envelope.stream);
    void items.pull();
    const first = items.pull();
    await asked.opened;
    await turn();
    goOn.open();
    expect(await first).toEqual({ ok: true, items: [0], done: false });
    expect(await items.pull()).toEqual({ ok: true, items: [1], done: true });
  });

  it("are not read ahead of a page that does not ask for more", async () => {
    const { source, seen } = counter();
    const { client } = exposed({ numbers: () => source });
    const stream = await client.numbers();
    expect(seen.asked).toBe(0);
    await stream.next();
    // One message has arrived, and one more was requested.
    await eventually(() => expect(seen.asked).toBe(512));
    for (let taken = 1; taken < 256; taken++) await stream.next();
    expect(seen.asked).toBe(512);
    await stream.next();
    await eventually(() => expect(seen.asked).toBe(768));
    await stream.return();
    await seen.returned.opened;
  });

  it("bound a message by its size too", async () => {
    let given = 0;
    const { client } = exposed({
      async *blobs() {
        for (;;) {
          given++;
          yield Buffer.alloc(100_000);
        }
      },
    });
    const stream = await client.blobs();
    await stream.next();
    await eventually(() => expect(given).toBe(6));
    await stream.return();
  });

  it("of live results give the newest when it is asked for", async () => {
    let version = 0;
    let changed = gate();
    const change = (): void => {
      version++;
      changed.open();
    };
    const { client } = exposed({
      async *live(): AsyncGenerator<number> {
        for (let seen = -1; seen >= -1; ) {
          if (seen === version) {
            changed = gate();
            await changed.opened;
          }
          seen = version;
          yield seen;
        }
      },
    });
    const stream = await client.live();
    expect((await stream.next()).value).toBe(0);
    change();
    expect((await stream.next()).value).toBe(1);
    for (let more = 0; more < 1000; more++) change();
    expect((await stream.next()).value).toBe(1001);
    const next = stream.next();
    change();
    expect((await next).value).toBe(1002);
    await stream.return();
    change();
  });

  it.runIf(capabilities.changes)("carry pool.watch(), which ends with the page's loop", async () => {
    const { pool, client: other } = await opened();
    const { client } = exposed({
      live: (text: string, signal?: AbortSignal) =>
        pool.watch<{ n: number }>("SELECT count(*) AS n FROM note WHERE text LIKE ?", [text], { signal }),
    });
    const counts: number[] = [];
    for await (const rows of client.live("b%", new AbortController().signal)) {
      counts.push(rows[0]!.n);
      if (counts.length === 1) await other.add("bee");
      else if (counts.length === 2)
        await pool.transaction(async (tx) => {
          for (const text of ["ant", "bug", "bat"])
            await tx.run("INSERT INTO note (text) VALUES (?)", [text]);
        });
      else break;
    }
    expect(counts).toEqual([0, 1, 3]);
  });

  it("end in the main process when the loop breaks, when it throws and when the signal aborts", async () => {
    const ends: ((client: Client<{ numbers: (signal?: AbortSignal) => unknown }>) => Promise<unknown>)[] = [
      async (client) => {
        for await (const _ of client.numbers() as unknown as AsyncIterable<number>) break;
      },
      async (client) => {
        const loop = async (): Promise<void> => {
          for await (const _ of client.numbers() as unknown as AsyncIterable<number>) throw new Error("stop");
        };
        expect(await rejection(loop())).toMatchObject({ message: "stop" });
      },
      async (client) => {
        const controller = new AbortController();
        const loop = async (): Promise<void> => {
          const stream = client.numbers(controller.signal) as unknown as AsyncIterable<number>;
          for await (const _ of stream) controller.abort(new Error("enough"));
        };
        expect(await rejection(loop())).toMatchObject({ message: "enough" });
      },
    ];
    for (const end of ends) {
      const { source, seen } = counter();
      let given: AbortSignal | undefined;
      const { client } = exposed({
        numbers: (signal?: AbortSignal) => {
          given = signal;
          return source;
        },
      });
      await end(client);
      await seen.returned.opened;
      if (given !== undefined) expect(given.aborted).toBe(true);
    }
  });

  it("let go of the reader when the page is gone, without a word from it", async () => {
    const { client, page, pool } = await opened();
    await pool.run(
      "INSERT INTO note (text) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3000) SELECT 'note ' || n FROM c",
    );
    const first = await client.each();
    await first.next();
    expect(pool.stats().threads.some(({ heldBy }) => heldBy === "iterate()")).toBe(true);
    // As a reload does.
    expect(page.ports).toHaveLength(1);
    page.ports[0]?.close();
    await eventually(() => expect(pool.stats().threads.every(({ heldBy }) => heldBy === null)).toBe(true));

    const second = await client.each();
    await second.next();
    page.webContents.emit("destroyed");
    await eventually(() => expect(pool.stats().threads.every(({ heldBy }) => heldBy === null)).toBe(true));
    const error = await remoteError(
      (async () => {
        for await (const _ of second);
      })(),
    );
    expect(error.code).toBe("SQLITE_AIO_IPC_STREAM");
  });

  it("give what came before an error, and then the error with its code", async () => {
    const { pool } = await opened();
    const { client } = exposed({
      async *rows() {
        yield 1;
        yield 2;
        await pool.run("INSERT INTO nowhere VALUES (1)");
      },
      async *uncloneable() {
        yield 1;
        yield () => 2;
      },
    });
    for (const [stream, code] of [
      [client.rows(), "SQLITE_ERROR"],
      [client.uncloneable(), "SQLITE_AIO_IPC_CLONE"],
    ] as const) {
      const seen: unknown[] = [];
      const loop = async (): Promise<void> => {
        for await (const item of stream as AsyncIterable<unknown>) seen.push(item);
      };
      expect((await remoteError(loop())).code).toBe(code);
      expect(seen[0]).toBe(1);
    }
  });

  it("cannot be had of a method that gives a value, and say so", async () => {
    const { client } = await opened();
    const loop = async (): Promise<void> => {
      for await (const _ of client.all() as unknown as AsyncIterable<unknown>);
    };
    expect(await rejection(loop())).toMatchObject({
      name: "TypeError",
      message: '"all" gives no stream: await it',
    });
  });

  it("are limited for each window, and those that ended do not count", async () => {
    const { client, ipcMain } = exposed({ numbers: () => counter().source }, { maxStreams: 2 });
    const first = await client.numbers();
    await client.numbers();
    expect((await remoteError(client.numbers())).code).toBe("SQLITE_AIO_IPC_STREAM");
    const other = createClient<{ numbers: () => AsyncIterable<number> }>(openPage(ipcMain).ipcRenderer);
    expect((await (await other.numbers()).next()).value).toBe(0);
    await first.return();
    await eventually(async () => expect((await (await client.numbers()).next()).value).toBe(0));
  });

  it("count until they have ended in the main process, however soon the page lets go of them", async () => {
    const goOn = gate();
    let running = 0;
    const { client } = exposed(
      {
        async *slow() {
          running++;
          try {
            await goOn.opened;
            yield 1;
          } finally {
            running--;
          }
        },
      },
      { maxStreams: 2 },
    );
    for (let i = 0; i < 2; i++) {
      const one = await client.slow();
      void one.next().catch(() => {});
      await eventually(() => expect(running).toBe(i + 1));
      await one.return();
    }
    expect((await remoteError(client.slow())).code).toBe("SQLITE_AIO_IPC_STREAM");
    goOn.open();
    await eventually(async () =>
      expect(await (await client.slow()).next()).toEqual({ value: 1, done: false }),
    );
  });

  it("cannot be opened by another page, by a page that may not call, nor twice", async () => {
    const { source, seen } = counter();
    const { page, ipcMain } = exposed({ numbers: () => source });
    const bridge = createBridge(page.ipcRenderer);
    const envelope = await bridge.call("numbers", []);
    if (!envelope.ok || !("stream" in envelope)) throw new Error("no stream");
    const { stream } = envelope;
    const unknown = { ok: false, error: { code: "SQLITE_AIO_IPC_UNKNOWN" } };
    expect(await createBridge(openPage(ipcMain).ipcRenderer).open(stream).pull()).toMatchObject(unknown);
    page.frame.url = "https://evil.example/";
    expect(await bridge.open(stream).pull()).toMatchObject(unknown);
    page.frame.url = "file:///app/index.html";
    expect(await bridge.open(stream).pull()).toMatchObject({ ok: true, done: false });
    expect(await bridge.open(stream).pull()).toMatchObject(unknown);
    expect(seen.asked).toBe(256);
  });

  it("that are not there say so before anything is asked of them, and are closed after that", async () => {
    const { client, page } = exposed({ numbers: () => counter().source });
    await client.numbers();
    const items = createBridge(page.ipcRenderer).open("none");
    await once(page.ports[1]!, "close");
    await turn();
    expect(await items.pull()).toMatchObject({ ok: false, error: { code: "SQLITE_AIO_IPC_UNKNOWN" } });
    expect(await items.pull()).toMatchObject({ ok: false, error: { code: "SQLITE_AIO_IPC_STREAM" } });
  });

  it("wait for a port: a message without one opens nothing", async () => {
    const { page, ipcMain } = exposed({ numbers: () => counter().source });
    const bridge = createBridge(page.ipcRenderer);
    const envelope = await bridge.call("numbers", []);
    if (!envelope.ok || !("stream" in envelope)) throw new Error("no stream");
    const heard = once(ipcMain, "sqlite-aio/open");
    page.ipcRenderer.send("sqlite-aio/open", envelope.stream);
    await heard;
    expect(await bridge.open(envelope.stream).pull()).toMatchObject({ ok: true, done: false });
  });

  it("that no page opens are ended after a while", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { source, seen } = counter();
    const { page } = exposed({ numbers: () => source });
    await createBridge(page.ipcRenderer).call("numbers", []);
    vi.advanceTimersByTime(10_000);
    await seen.returned.opened;
    expect(seen.asked).toBe(0);
  });
});

describe("the preload side", () => {
  it("knows an error of another realm by its message", async () => {
    const error: unknown = runInNewContext(`new Error("No handler registered for 'sqlite-aio:none'")`);
    expect(error).not.toBeInstanceOf(Error);
    const bridge = createBridge({
      invoke: () => Promise.reject(error),
      send: () => {},
      postMessage: () => {},
    });
    expect(await bridge.call("none", [])).toMatchObject({
      ok: false,
      error: {
        code: "SQLITE_AIO_IPC_UNKNOWN",
        message: expect.stringMatching(/^No handler registered for 'sqlite-aio:none'/) as unknown,
      },
    });
  });

  it("imports nothing of Node or Electron, so that it can be bundled for a sandbox", () => {
    const source = (name: string): string =>
      readFileSync(fileURLToPath(new URL(`../../src/electron/${name}`, import.meta.url)), "utf8");
    const seen = new Set<string>();
    const visit = (name: string): void => {
      if (seen.has(name)) return;
      seen.add(name);
      for (const [, specifier = ""] of source(name).matchAll(/^(?:import|export)\s[^;]*?from "([^"]+)"/gm)) {
        expect(specifier, name).toMatch(/^\.\/[a-z-]+\.js$/);
        visit(specifier.slice(2).replace(/\.js$/, ".ts"));
      }
    };
    visit("preload.ts");
    expect([...seen].toSorted()).toEqual([
      "envelope.ts",
      "port-messages.ts",
      "preload.ts",
      "remote-stream.ts",
    ]);
  });
});
