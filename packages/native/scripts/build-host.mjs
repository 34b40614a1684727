// Builds build/sqlite-aio.node for this machine. Without a compiler it prints that and succeeds, because the package is
// optional.
import { compileForHost, hostBinary, hostCompiler } from "./compile.mjs";

const compiler = hostCompiler();
if (compiler === undefined) {
  process.stderr.write("@sqlite-aio/native: no C compiler (cc or zig), so nothing was built.\n");
} else {
  compileForHost(compiler, ["-O2", process.platform === "darwin" ? "-Wl,-x" : "-s"], hostBinary);
}
