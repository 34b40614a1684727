/** The element with this id, which the page has. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return found;
}

/** A new element with these properties, holding what is given: text stays text. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]>,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const problem = byId("problem", HTMLParagraphElement);

/** Shows what went wrong. */
export function report(error: unknown): void {
  problem.textContent = error instanceof Error ? error.message : String(error);
  problem.hidden = false;
}

const numbers = new Intl.NumberFormat("en-US");

/** Such as "20,000". */
export function thousands(value: number): string {
  return numbers.format(value);
}
