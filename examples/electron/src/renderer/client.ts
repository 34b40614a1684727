import { type Bridge, createClient } from "@sqlite-aio/core/electron/preload";
import type { Api } from "../main/methods.ts";

declare const window: Window & { readonly flights: Bridge };

/** The methods of the main process. */
export const client = createClient<Api>(window.flights);
