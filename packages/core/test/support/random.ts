/** A generator of the same whole numbers from 0 to `below` - 1 in every run (Park and Miller). */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
