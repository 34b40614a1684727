import type { Flight } from "../main/methods.ts";
import { client } from "./client.ts";
import { byId, element, report } from "./dom.ts";

const list = byId("saved", HTMLUListElement);
const saved = new Set<number>();

export function isSaved(flight: number): boolean {
  return saved.has(flight);
}

/** A button that saves a flight or removes it again. The list follows the database, not the click. */
export function starOf(flight: number, pressed: boolean): HTMLButtonElement {
  const star = element("button", { type: "button", value: String(flight) });
  press(star, pressed);
  star.addEventListener("click", () => {
    (isSaved(flight) ? client.unsave(flight) : client.save(flight)).catch(report);
  });
  return star;
}

function press(star: HTMLButtonElement, pressed: boolean): void {
  star.ariaPressed = String(pressed);
  star.ariaLabel = pressed ? "Saved" : "Save";
  star.textContent = pressed ? "★" : "☆";
}

/** Shows the saved flights for as long as the page is open. */
export async function showSaved(): Promise<void> {
  for await (const flights of client.saved()) {
    saved.clear();
    for (const { id } of flights) saved.add(id);
    list.replaceChildren(...flights.map(itemOf));
    for (const star of document.querySelectorAll<HTMLButtonElement>("#results button")) {
      press(star, isSaved(Number(star.value)));
    }
  }
}

function itemOf({ id, origin, destination, departure, delay }: Flight): HTMLLIElement {
  const delayed = delay > 0 ? `${delay} min late` : `${-delay} min early`;
  return element(
    "li",
    {},
    element(
      "div",
      {},
      `${origin} – ${destination}`,
      element("small", {}, `${departure}, ${delay === 0 ? "on time" : delayed}`),
    ),
    starOf(id, true),
  );
}
