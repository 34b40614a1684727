/** What may stand anywhere in a message that is not of its form. */
const GARBAGE: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => -1,
  () => -7,
  () => 0,
  () => 1,
  () => 3,
  () => 1.5,
  () => 255,
  () => 4_294_967_295,
  () => 2 ** 53,
  () => 1e300,
  () => "",
  () => "7",
  () => "__proto__",
  () => "toString",
  () => true,
  () => 5n,
  () => 2n ** 70n,
  () => ({}),
  () => ({ length: 5 }),
  () => ({ 0: 1, 1: [5] }),
  () => [],
  () => [1, [1, 2]],
  () => [70_000],
  () => [4_000_000_000, [5]],
  () => new Uint8Array(3),
  () => new Uint32Array([9, 1]),
  () => new Float64Array(2),
  () => new Uint16Array([7]),
  () => new BigInt64Array(1),
  () => new Date(0),
  () => new Map([[1, 2]]),
];

type Below = (n: number) => number;

export const garbage = (below: Below): unknown => GARBAGE[below(GARBAGE.length)]!();

/** Changes a message at one to three places, wherever they are. */
export function mutate(message: unknown[], below: Below): void {
  for (let left = 1 + below(3); left > 0; left--) mutateOnce(message, below);
}

function mutateOnce(message: unknown[], below: Below): void {
  const at = below(message.length + 1);
  const part = message[at];
  if (Array.isArray(part) && below(4) > 0) return mutateOnce(part, below);
  if (part instanceof Uint32Array || part instanceof Uint16Array || part instanceof Uint8Array) {
    if (part.length > 0 && below(2) === 0) {
      part[below(part.length)] = below(3) === 0 ? 0xffffffff : below(300);
      return;
    }
    if (below(2) === 0) {
      message[at] = part.slice(0, below(part.length + 1));
      return;
    }
  }
  switch (below(6)) {
    case 0:
      message.splice(at, 1 + below(3));
      return;
    case 1:
      message.splice(at, 0, garbage(below));
      return;
    case 2:
      message.length = at;
      return;
    case 3: {
      const other = below(message.length + 1);
      message[at] = message[other];
      message[other] = part;
      return;
    }
    case 4:
      // A whole number where one is likely to stand.
      message[at] = below(12);
      return;
    default:
      message[at] = garbage(below);
  }
}
