import { fileURLToPath } from "node:url";
import { resolvePath } from "../../options/database-path.js";

/**
 * The database of a URL in Prisma's form: `file:` before a path that is relative to the working directory, a whole URL,
 * or a path alone. Throws TypeError.
 */
export function databaseOf(url: string | URL, name: string): string {
  if (typeof url === "object" && url !== null) return resolvePath(url);
  if (typeof url !== "string" || url === "") {
    throw new TypeError(`PrismaSqliteAio: "${name}" must be a path, a file: URL or ":memory:"`);
  }
  if (!url.startsWith("file:")) return /^(?:https?|libsql|wss?):\/\//.test(url) ? url : resolvePath(url);
  if (url.includes("?")) {
    throw new TypeError(
      `PrismaSqliteAio: parameters in "${name}" have no meaning here; options such as "timeout" and "readers" stand beside it`,
    );
  }
  return resolvePath(url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length));
}
