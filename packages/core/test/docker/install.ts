import type { TestProject } from "vitest/node";
import { setup as pack } from "../frameworks/install.ts";
import { requireBuilder } from "./builder.ts";
import { makeBaseImage } from "./base-image.ts";

/** Packs the packages, and makes the image that the Dockerfile builds on. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  requireBuilder();
  await makeBaseImage();
  return pack(project);
}
