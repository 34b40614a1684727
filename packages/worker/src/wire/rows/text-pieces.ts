/**
 * V8 keeps a whole text alive as long as a part of at least 13 characters exists. Texts that are sent joined are
 * therefore cut from pieces of about this many bytes, so that one kept row does not keep all of them.
 */
export const PIECE_BYTES = 256;

/** The texts that end at `ends` in `text`; null where `nulls` says so. */
export function separateTexts(text: string, ends: Uint32Array, nulls: Uint8Array | null): (string | null)[] {
  const rows = ends.length;
  const texts: (string | null)[] = new Array(rows);
  for (let r = 0, start = 0; r < rows; ) {
    let end = r + 1;
    // A character may have two bytes.
    while (end < rows && ends[end]! - start <= PIECE_BYTES / 2) end++;
    const stop = ends[end - 1]!;
    const piece = copyOf(text, start, stop);
    for (let from = 0; r < end; r++) {
      const to = ends[r]! - start;
      texts[r] = nulls?.[r] === 1 ? null : piece.substring(from, to);
      from = to;
    }
    start = stop;
  }
  return texts;
}

/** A part of `text` that does not keep the rest alive: prefixing and cutting it makes V8 copy it. */
function copyOf(text: string, start: number, end: number): string {
  return start === 0 && end === text.length ? text : ` ${text.substring(start, end)}`.substring(1);
}
