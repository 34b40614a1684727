import { expect, it } from "vitest";
import { realText } from "../../dist/values/real-text.js";
import { openEngine } from "../support/database.ts";
import { random } from "../support/random.ts";

it("a REAL has the text that the engine gives it", () => {
  const text = openEngine().prepare("SELECT CAST(? AS TEXT)").pluck();
  const below = random(20_261_127);
  const values = [
    0,
    -0,
    1,
    -1.5,
    0.1,
    1 / 3,
    100,
    1e15,
    123_456_789_012_345_680,
    1e17,
    1e21,
    1e22,
    9.999_999_999_999_999e22,
    0.0001,
    0.00001,
    Number.MIN_VALUE,
    Number.MAX_VALUE,
    Number.EPSILON,
    2 ** 53,
    2 ** 63,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  for (let i = 0; i < 2000; i++) {
    values.push((below(2_000_000) - 1_000_000) / 10 ** below(9));
    values.push((below(1_000_000) / 1_000_000) * 10 ** (below(40) - 20));
  }
  const texts = values.map((value) => [value, realText(value)]);
  // A number that is integral is bound as REAL by the engine, which has no other kind.
  expect(texts).toEqual(values.map((value) => [value, text.get(value)]));
});
