import { existsSync } from "node:fs";
import { isPrivate, isSharedMemory } from "@sqlite-aio/worker/wire";
import { NotSupportedError } from "../../errors/errors.js";
import {
  boolean,
  type ConnectionOptions,
  integer,
  requireObject,
  resolveOptions,
} from "../../options/connect-options.js";
import { isUrl } from "../../options/database-path.js";
import { type PoolOptions, resolvePoolOptions } from "../options.js";

/** The server that a replica copies, and that all writes go to. */
export interface PrimaryOptions {
  /** Its address: `http:`, `https:` or `libsql:`, which means `https:`. */
  url: string | URL;
  /** A JSON Web Token, if the server requires one. */
  authToken?: string | undefined;
  /** Milliseconds between syncs. Default 1000; 0: only after writes of this pool, and by `sync()`. */
  syncInterval?: number | undefined;
  /**
   * Milliseconds that the server may take to answer. Default 10000. The server lets a call wait up to 5000 ms for
   * another transaction before it ends that one. With a shorter timeout, a write that only waited counts as unknown.
   */
  timeout?: number | undefined;
  /** A write resolves when the replica has it, so that the next read of this pool sees it. Default true. */
  readYourWrites?: boolean | undefined;
}

/** Options of {@link createPool} for a replica: reads from a local file, writes to the primary. */
export interface ReplicaOptions
  extends Omit<PoolOptions, "writers" | "groupCommit" | "checkpoint" | "changePollInterval" | "image"> {
  /** The engine, by its name or by the URL of its module. */
  engine: "libsql" | URL;
  /** The server that the replica copies. */
  primary: PrimaryOptions;
}

/** Options of {@link createPool} for a remote database, named by its URL. */
export interface RemoteOptions
  extends Pick<
    PoolOptions,
    | "callTimeout"
    | "detectTypes"
    | "integers"
    | "isolationLevel"
    | "iterChunkSize"
    | "maxWaiting"
    | "readonly"
    | "signal"
    | "slowQueryMs"
  > {
  /** The engine that speaks to libsql-servers. */
  engine: "libsql" | URL;
  /** A JSON Web Token, if the server requires one. */
  authToken?: string | undefined;
  /** Milliseconds that the server may take to answer. Default 10000; see {@link PrimaryOptions}. */
  timeout?: number | undefined;
}

/** How to reach the primary, checked and complete. */
export interface PrimarySettings {
  /** Ends with a slash. */
  readonly url: URL;
  readonly authToken: string | undefined;
  readonly timeout: number;
  /** See {@link PoolOptions}. */
  readonly maxWaiting: number;
}

/** Options of a pool over a primary, checked and complete. */
export interface ClusterSettings {
  readonly primary: PrimarySettings;
  readonly readonly: boolean;
  readonly connection: ConnectionOptions;
  /** See {@link PoolOptions}. */
  readonly callTimeout: number;
  /** The name of the database in traces. */
  readonly name: string;
  /** Null without a local file. */
  readonly replica: ReplicaSettings | null;
}

/** The options of the replica, checked and complete. */
export interface ReplicaSettings {
  readonly path: string;
  readonly syncInterval: number;
  readonly readYourWrites: boolean;
  /** Options of the pool that reads it. */
  readonly options: PoolOptions;
}

/** Whether the arguments of `createPool()` ask for a pool over a primary. */
export function isCluster(database: unknown, options: unknown): boolean {
  if (isRemote(database)) return true;
  return typeof options === "object" && options !== null && Reflect.get(options, "primary") !== undefined;
}

/** Checks what `createPool()` was given. Throws TypeError, RangeError or NotSupportedError. */
export function resolveCluster(
  database: string | URL,
  options: ReplicaOptions | RemoteOptions,
): ClusterSettings {
  requireObject(options);
  if (options.engine !== "libsql" && !isUrl(options.engine)) {
    throw new TypeError('a primary needs the option { engine: "libsql" }');
  }
  return isRemote(database)
    ? resolveRemote(database, options)
    : resolveReplica(database, options as ReplicaOptions);
}

const REMOTE = /^(?:https?|libsql):/i;

function isRemote(database: unknown): database is string | URL {
  return REMOTE.test(isUrl(database) ? database.href : typeof database === "string" ? database : "");
}

function resolveRemote(database: string | URL, options: RemoteOptions): ClusterSettings {
  const { authToken, callTimeout, maxWaiting, timeout, readonly, ...rest } = options;
  const local = Object.keys(rest).find((name) => !REMOTE_OPTIONS.has(name));
  if (local !== undefined) throw new TypeError(`option "${local}" is for a database of this machine`);
  const primary = resolvePrimary({ url: database, authToken, timeout }, maxWaiting);
  const connection = resolveOptions("", { ...rest, engine: undefined });
  return {
    primary,
    readonly: boolean(readonly, "readonly"),
    connection,
    callTimeout: integer(callTimeout, "callTimeout", 0, 0),
    name: primary.url.href,
    replica: null,
  };
}

const REMOTE_OPTIONS = new Set([
  "detectTypes",
  "engine",
  "integers",
  "isolationLevel",
  "iterChunkSize",
  "signal",
  "slowQueryMs",
]);

function resolveReplica(database: string | URL, options: ReplicaOptions): ClusterSettings {
  const { primary, readonly, ...rest } = options;
  refuseLocal(options);
  if (typeof primary !== "object" || primary === null)
    throw new TypeError('option "primary" must be an object');
  const unknown = Object.keys(primary).find((name) => !PRIMARY_OPTIONS.has(name));
  if (unknown !== undefined) throw new TypeError(`unknown option "primary.${unknown}"`);
  const { connection, callTimeout, maxWaiting } = resolvePoolOptions(database, rest);
  const { path, engine } = connection.thread.open;
  if (isPrivate(path) || isSharedMemory(path)) throw new TypeError("a replica needs a file");
  if (!engine.startsWith("file:") || !existsSync(new URL(engine))) {
    throw new NotSupportedError("a replica needs the package libsql, which is not installed", {
      code: "SQLITE_AIO_ENGINE",
    });
  }
  if (connection.thread.open.fileMustExist && !existsSync(path)) {
    throw new TypeError(`option "fileMustExist": ${path} does not exist`);
  }
  return {
    primary: resolvePrimary(primary, maxWaiting),
    readonly: boolean(readonly, "readonly"),
    connection,
    callTimeout,
    name: path,
    replica: {
      path,
      syncInterval: integer(primary.syncInterval, "primary.syncInterval", 1000, 0),
      readYourWrites:
        primary.readYourWrites === undefined || boolean(primary.readYourWrites, "primary.readYourWrites"),
      // The replicator reports changes, so the pool need not poll.
      options: { ...rest, readonly: true, changePollInterval: 0 },
    },
  };
}

const PRIMARY_OPTIONS = new Set(["authToken", "readYourWrites", "syncInterval", "timeout", "url"]);

/** Throws for options that only a local pool supports. */
function refuseLocal(options: PoolOptions): void {
  const refused =
    options.groupCommit === true
      ? "groupCommit: batch() makes one commit of several writes"
      : options.writers !== undefined && options.writers !== 1
        ? "writers: the primary is the one writer"
        : options.checkpoint === "external"
          ? 'checkpoint: "external": the log of a replica is not its own'
          : options.image !== undefined
            ? "image"
            : options.changePollInterval !== undefined
              ? "changePollInterval: it looks for what is new every primary.syncInterval ms"
              : null;
  if (refused !== null)
    throw new NotSupportedError(`a replica has no ${refused}`, { code: "SQLITE_AIO_CLUSTER" });
}

function resolvePrimary(
  { url, authToken, timeout }: PrimaryOptions,
  maxWaiting: number | undefined,
): PrimarySettings {
  if (authToken !== undefined && typeof authToken !== "string") {
    throw new TypeError('option "authToken" must be a string');
  }
  return {
    url: resolveUrl(url),
    authToken: authToken === "" ? undefined : authToken,
    timeout: integer(timeout, "timeout", 10_000, 1),
    maxWaiting: integer(maxWaiting, "maxWaiting", Number.MAX_SAFE_INTEGER, 0),
  };
}

function resolveUrl(given: string | URL): URL {
  if (typeof given !== "string" && !isUrl(given)) {
    throw new TypeError('option "url" must be a URL of the primary, http:, https: or libsql:');
  }
  const text = String(given);
  if (!REMOTE.test(text) || !URL.canParse(text)) {
    throw new TypeError(`"${text}" is no URL of a primary: it begins with http:, https: or libsql:`);
  }
  const url = new URL(text.replace(/^libsql:/i, "https:"));
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TypeError("the URL of a primary has no user, query or fragment: its token is an option");
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}
