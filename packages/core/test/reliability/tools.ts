import { spawnSync } from "node:child_process";
import { soak } from "./scale.ts";

/** Whether a command ends with code 0, and what it said. */
function succeeds(command: readonly string[]): { readonly ok: boolean; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync(command[0]!, command.slice(1), { encoding: "utf8" });
  return { ok: status === 0, said: error?.message ?? `${stdout}${stderr}`.trim() };
}

/** Why strace cannot be used here, null if it can. */
export function withoutStrace(): string | null {
  const { ok, said } = succeeds(["strace", "-f", "-o", "/dev/null", "true"]);
  return ok ? null : `needs strace, and the right to trace a child process: ${said}`;
}

/** Why python3 cannot be used here, null if it can. */
export function withoutPython(): string | null {
  const { ok, said } = succeeds(["python3", "--version"]);
  return ok ? null : `needs python3, to compare with CPython: ${said}`;
}

/** The start of a command that runs in a view of the file system of its own, where it may mount; and why there is none. */
export function inOwnMounts(): { readonly under: readonly string[]; readonly missing: string | null } {
  const under = ["unshare", "--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
  const { ok, said } = succeeds([...under, "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]);
  return { under, missing: ok ? null : `needs unshare (util-linux), and the right to mount: ${said}` };
}

/** Goes on only if nothing is missing. Else the test says what is; a soak fails, since its figure would not be true. */
export function needs(missing: string | null, skip: (condition: boolean, note?: string) => void): void {
  if (missing !== null && soak) throw new Error(missing);
  skip(missing !== null, missing ?? "");
}
