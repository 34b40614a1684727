import { build } from "../build.ts";

/** The site is built once. An export without a comment, or a link to no page, is an error of the build. */
export function setup(): void {
  build();
}
