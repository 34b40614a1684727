import type { Flight } from "../main/methods.ts";
import { client } from "./client.ts";
import { byId, element, report, thousands } from "./dom.ts";
import { isSaved, starOf } from "./saved.ts";

const input = byId("search", HTMLInputElement);
const results = byId("results", HTMLTableSectionElement);
const found = byId("found", HTMLOutputElement);

let latest = new AbortController();
let outdated = false;

/** Searches for the text in the box. Cancels the previous search, in the main process too. */
export async function search(): Promise<void> {
  latest.abort();
  latest = new AbortController();
  const { signal } = latest;
  const asked = performance.now();
  results.ariaBusy = "true";
  outdated = false;
  try {
    const answer = await client.search(input.value, signal);
    results.replaceChildren(...answer.flights.map(rowOf));
    found.textContent = `${thousands(answer.found)} in ${Math.round(performance.now() - asked)} ms`;
  } catch (error) {
    if (!signal.aborted) report(error);
  }
  if (signal.aborted) return;
  results.ariaBusy = "false";
  if (outdated) void search();
}

/** Searches again as soon as the current search is done, because there are other flights. */
export function refresh(): void {
  if (results.ariaBusy === "true") outdated = true;
  else void search();
}

function rowOf(flight: Flight): HTMLTableRowElement {
  const { departure, origin, originCity, destination, destinationCity, miles, delay } = flight;
  const late = delay > 0 ? " late" : " early";
  return element(
    "tr",
    {},
    element("td", {}, departure),
    element("td", {}, `${originCity} `, element("span", { className: "code" }, origin)),
    element("td", {}, `${destinationCity} `, element("span", { className: "code" }, destination)),
    element("td", { className: "number" }, thousands(miles)),
    element("td", { className: `number${delay === 0 ? "" : late}` }, `${delay} min`),
    element("td", {}, starOf(flight.id, isSaved(flight.id))),
  );
}

input.addEventListener("input", () => void search());
