import { client } from "./client.ts";
import { byId, report, thousands } from "./dom.ts";

const button = byId("import", HTMLButtonElement);
const bar = byId("progress", HTMLProgressElement);
const text = byId("progress-text", HTMLOutputElement);

let running: AbortController | null = null;

/** Imports until the end of the file, or until the button is pressed again. */
async function importFlights(): Promise<void> {
  const { signal } = (running = new AbortController());
  button.textContent = "Stop";
  bar.hidden = false;
  try {
    for await (const { done, of, flights } of client.importFlights(signal)) {
      bar.value = done / of;
      text.textContent = `${Math.floor((100 * done) / of)}%, ${thousands(flights)} flights`;
    }
  } catch (error) {
    if (!signal.aborted) report(error);
  } finally {
    running = null;
    button.textContent = "Import";
  }
}

/** Makes the button start and stop the import. */
export function offerImport(): void {
  button.addEventListener("click", () => {
    if (running === null) void importFlights();
    else running.abort();
  });
}
