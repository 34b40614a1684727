/** Number of digits that SQLite writes for a REAL. Larger numbers get an exponent. */
const PRECISION = 17;

/**
 * A REAL in the text form that SQLite gives it when it is read as a blob or cast to TEXT: `%!.17g`, with
 * sqlite3FpDecode()'s rule of leaving out unneeded digits. For very large and very small values the last digit may
 * differ by one, because SQLite computes it with 64 bits.
 */
export function realText(value: number): string {
  if (value === 0) return "0.0";
  const sign = value < 0 ? "-" : "";
  const magnitude = Math.abs(value);
  if (magnitude === Number.POSITIVE_INFINITY) return `${sign}Inf`;
  const { digits, exponent } = decode(magnitude);
  if (exponent < -4 || exponent >= PRECISION) {
    const power = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${digits[0]}.${digits.slice(1) || "0"}e${exponent < 0 ? "-" : "+"}${power}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

/** Significant digits without trailing zeros, and the power of ten of the first one. */
function decode(value: number): { digits: string; exponent: number } {
  // SQLite derives the number of digits from the power of two below the value, so for some values it is one more.
  const longer = split(value, PRECISION + 2);
  const [all, exponent] = longer[1] > log10OfPowerOfTwo(value) ? longer : split(value, PRECISION + 1);
  const kept = neededDigits(all, exponent, value);
  const rounded = all[kept]! >= "5" ? String(BigInt(all.slice(0, kept)) + 1n) : all.slice(0, kept);
  return { digits: rounded.replace(/0+$/, ""), exponent: exponent + rounded.length - kept };
}

function split(value: number, digits: number): [digits: string, exponent: number] {
  const [mantissa = "", exponent = ""] = value.toExponential(digits - 1).split("e");
  return [mantissa.replace(".", ""), Number(exponent)];
}

function log10OfPowerOfTwo(value: number): number {
  let power = Math.floor(Math.log2(value));
  // The logarithm of a value just below a power of two is rounded up.
  if (2 ** power > value) power--;
  return Math.floor((power * 78913) / 262144);
}

/**
 * The number of digits to keep. If a run of nines or zeros suggests that few digits give the same value, it is those
 * plus one.
 */
function neededDigits(all: string, exponent: number, value: number): number {
  let length: number;
  let shorter: string;
  if (all[14] === "9" && all[15] === "9") {
    for (length = 14; length > 0 && all[length - 1] === "9"; ) length--;
    shorter = length === 0 ? "1" : String(Number(all.slice(0, length)) + 1);
  } else if (exponent + 1 >= all.length || all.slice(13, 16) === "000") {
    for (length = 13; all[length - 1] === "0"; ) length--;
    shorter = all.slice(0, length);
  } else return PRECISION;
  return Number(`${shorter}e${exponent + 1 - length}`) === value ? length + 1 : PRECISION;
}
