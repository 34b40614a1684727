// Runs a command unless SQLITE_AIO_BUILT says that everything is built: `.ci/run` builds once for all its steps.
import { spawnSync } from "node:child_process";

if (process.env.SQLITE_AIO_BUILT === undefined) {
  const [command, ...args] = process.argv.slice(2);
  const { status } = spawnSync(command, args, { stdio: "inherit", shell: process.platform === "win32" });
  process.exitCode = status ?? 1;
}
