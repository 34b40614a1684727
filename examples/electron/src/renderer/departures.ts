import { client } from "./client.ts";
import { byId, element, thousands } from "./dom.ts";

const list = byId("departures", HTMLOListElement);
const total = byId("total", HTMLParagraphElement);

/** Shows the busiest airports for as long as the page is open. Calls `changed` when there are other flights. */
export async function showDepartures(changed: () => void): Promise<void> {
  for await (const airports of client.departures()) {
    changed();
    const most = airports[0]?.flights ?? 0;
    total.textContent = airports[0] ? `${thousands(airports[0].total)} flights` : "no flights yet";
    list.replaceChildren(
      ...airports.map(({ iata, city, flights }) => {
        const bar = element("div", { className: "bar" });
        bar.style.setProperty("--share", `${(100 * flights) / most}%`);
        const name = element("span", {}, `${city} `, element("span", { className: "code" }, iata));
        return element("li", {}, name, thousands(flights), bar);
      }),
    );
  }
}
