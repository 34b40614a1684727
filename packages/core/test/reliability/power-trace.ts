import { createReadStream } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

/** What `strace` is to be told so that {@link readTrace} understands it: whole buffers in hexadecimal, and paths for numbers of files. */
export const STRACE = [
  "strace",
  "-f",
  "-y",
  "-xx",
  "-s",
  "1000000",
  "--seccomp-bpf",
  "-e",
  "signal=none",
  "-e",
  "trace=openat,write,pwrite64,lseek,fsync,fdatasync,ftruncate,?unlink,unlinkat",
] as const;

/** A system call begins or has returned, in the order in which that happened. */
export interface TraceEvent {
  readonly when: "begins" | "returned";
  readonly call: SystemCall;
}

export interface SystemCall {
  readonly name: string;
  /** Of the file, whether it is given by number or by name. */
  readonly path: string;
  readonly data: Buffer;
  /** Offset, or length for ftruncate. */
  readonly at: number;
  readonly flags: string;
  result: number;
}

const LINE = /^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$/s;
const UNFINISHED = " <unfinished ...>";

/** Reads what {@link STRACE} wrote. */
export async function* readTrace(file: string): AsyncGenerator<TraceEvent> {
  /** The one call that each thread is in. */
  const begun = new Map<string, { call: SystemCall; name: string; args: string }>();
  for await (const line of createInterface({ input: createReadStream(file, "latin1") })) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, thread = "", resumed, name = "", rest = ""] = match;
    if (resumed === undefined && rest.endsWith(UNFINISHED)) {
      const args = rest.slice(0, -UNFINISHED.length);
      const call = systemCall(name, args);
      begun.set(thread, { call, name, args });
      yield { when: "begins", call };
      continue;
    }
    const end = rest.lastIndexOf(") ");
    const result = /^\) += (-?\d+)/.exec(rest.slice(end));
    // A call in which the process ended.
    if (result === null) continue;
    let call: SystemCall;
    if (resumed === undefined) {
      call = systemCall(name, rest.slice(0, end));
      yield { when: "begins", call };
    } else {
      const before = begun.get(thread);
      if (before === undefined) continue;
      begun.delete(thread);
      call = before.call;
    }
    call.result = Number(result[1]);
    yield { when: "returned", call };
  }
}

function systemCall(name: string, args: string): SystemCall {
  const byNumber = /^\d+<([^>]*)>/.exec(args);
  const strings = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = ""]) => bytes(hex));
  const named = name === "openat" || name.startsWith("unlink");
  const path = named ? (strings[0]?.toString() ?? "") : text(byNumber?.[1] ?? "");
  const numbers = args.split(", ").map(Number);
  return {
    name,
    path,
    data: named ? Buffer.alloc(0) : (strings[0] ?? Buffer.alloc(0)),
    at: name === "pwrite64" ? numbers[3]! : name === "ftruncate" || name === "lseek" ? numbers[1]! : 0,
    flags: named ? (args.split(", ").at(name === "openat" ? 2 : -1) ?? "") : "",
    result: Number.NaN,
  };
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}

/** The paths of numbers are in hexadecimal in some versions. */
function text(path: string): string {
  return path.includes("\\x") ? bytes(path).toString() : path;
}

interface Write {
  readonly at: number;
  /** Null: the file was cut off here. */
  readonly data: Buffer | null;
}

interface DiskFile {
  /** What a power cut leaves for certain. */
  durable: Buffer;
  /** What was written since the last sync: of that it leaves what it likes. */
  readonly pending: Write[];
  /** The folder was synced since the file was made: it has its name. */
  linked: boolean;
  /** It was deleted, which a power cut takes back until the folder is synced. */
  deleted: boolean;
}

const SECTOR = 512;

/** One database with its logs as the disk has them, as opposed to what processes see. */
export class Disk {
  readonly #path: string;
  readonly #files = new Map<string, DiskFile>();
  /** The writes that each sync covers that is under way. */
  readonly #syncs = new Map<SystemCall, ReadonlySet<Write>>();
  /** For a write that does not say where: it goes after the seek before it. */
  readonly #positions = new Map<string, number>();
  /** Goes up with everything that changes what a power cut leaves for certain. */
  version = 0;

  constructor(path: string, content: Buffer) {
    this.#path = path;
    this.#files.set(path, { durable: content, pending: [], linked: true, deleted: false });
  }

  event({ when, call }: TraceEvent): void {
    const { path, result } = call;
    const folder = path === dirname(this.#path);
    if (!folder && !["", "-wal", "-journal"].some((suffix) => path === this.#path + suffix)) return;
    const file = this.#files.get(path);
    if (when === "begins") {
      if (isSync(call) && file !== undefined) this.#syncs.set(call, new Set(file.pending));
      return;
    }
    if (result < 0) return;
    switch (call.name) {
      case "openat":
        if (!folder && call.flags.includes("O_CREAT") && (file === undefined || file.deleted))
          this.#files.set(path, { durable: Buffer.alloc(0), pending: [], linked: false, deleted: false });
        return;
      case "lseek":
        this.#positions.set(path, result);
        return;
      case "write": {
        const at = this.#positions.get(path) ?? 0;
        this.#positions.set(path, at + result);
        file?.pending.push({ at, data: call.data.subarray(0, result) });
        return;
      }
      case "pwrite64":
        file?.pending.push({ at: call.at, data: call.data.subarray(0, result) });
        return;
      case "ftruncate":
        file?.pending.push({ at: call.at, data: null });
        return;
      case "unlink":
      case "unlinkat":
        if (file !== undefined) file.deleted = true;
        return;
      default:
        if (folder) this.#folderSynced();
        else if (file !== undefined) this.#synced(call, file);
    }
  }

  /**
   * What a power cut at this moment leaves, by what stands behind the database's name: that which is certain, or, with
   * `below`, also a random part of what was not synced, sector by sector.
   */
  afterPowerCut(below?: (n: number) => number): ReadonlyMap<string, Buffer> {
    const left = new Map<string, Buffer>();
    for (const [path, file] of this.#files) {
      const luck = below !== undefined && below(2) === 0;
      if (file.linked ? file.deleted && luck : !luck) continue;
      let content = file.durable;
      if (below !== undefined)
        for (const write of file.pending) content = apply(content, write, () => below(2) === 0);
      left.set(path.slice(this.#path.length), content);
    }
    return left;
  }

  #synced(call: SystemCall, file: DiskFile): void {
    this.version++;
    const covered = this.#syncs.get(call) ?? new Set<Write>();
    for (const write of file.pending.splice(0)) {
      if (covered.has(write)) file.durable = apply(file.durable, write, () => true);
      else file.pending.push(write);
    }
    this.#syncs.delete(call);
  }

  #folderSynced(): void {
    this.version++;
    for (const [path, file] of this.#files) {
      file.linked = true;
      if (file.deleted) this.#files.delete(path);
    }
  }
}

function isSync({ name }: SystemCall): boolean {
  return name === "fsync" || name === "fdatasync";
}

function apply(content: Buffer, { at, data }: Write, survives: () => boolean): Buffer {
  if (data === null) return survives() ? content.subarray(0, at) : content;
  const end = at + data.length;
  let result = content;
  if (end > content.length) {
    result = Buffer.alloc(end);
    content.copy(result);
  } else result = Buffer.from(content);
  for (let from = 0; from < data.length; ) {
    const to = Math.min(data.length, from + SECTOR - ((at + from) % SECTOR));
    if (survives()) data.copy(result, at + from, from, to);
    from = to;
  }
  return result;
}
