// Compiled by the compilers of declarations.test.ts and never run: every entry has types that stand by themselves.
import * as core from "@sqlite-aio/core";
import * as diagnostics from "@sqlite-aio/core/diagnostics";
import * as electron from "@sqlite-aio/core/electron";
import * as preload from "@sqlite-aio/core/electron/preload";
import * as kysely from "@sqlite-aio/core/kysely";
import * as worker from "@sqlite-aio/worker";

export const entries = [core, diagnostics, electron, preload, kysely, worker];
