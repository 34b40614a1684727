/** A small bug, inserted on purpose: its tests must fail. It is found by its text, so that it moves with the code. */
export interface Mutant {
  /** From the root of the workspace. */
  readonly file: string;
  /** The bug, as one would report it. */
  readonly what: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** Test files, from the root of the workspace. */
  readonly tests: readonly string[];
  /** Why it may live. */
  readonly survives?: string;
}

/** How often the text of a mutant stands in `source`, its file: once, or the code has moved on. */
export function placesOf({ find }: Mutant, source: string): number {
  return source.split(find).length - 1;
}

/** A mutant as the lists have it: what the mutants of a folder have in common is left out. */
export interface Listed {
  /** Also for the following ones, until another file is named. */
  readonly file?: string;
  readonly what: string;
  readonly find: string;
  readonly replace: string;
  /** Test files below the folder of the list's tests, without `.test.ts`; after a slash, from the root of the workspace. */
  readonly tests: readonly string[];
  readonly survives?: string;
}

/** Mutants of the sources in `folder`, with the folder that their tests stand in. */
export function mutantsOf(folder: string, testFolder: string, listed: readonly Listed[]): Mutant[] {
  let file = "";
  return listed.map((one) => {
    file = one.file ?? file;
    const tests = one.tests.map((name) => (name.startsWith("/") ? name.slice(1) : `${testFolder}/${name}`));
    return { ...one, file: `${folder}/${file}`, tests: tests.map((name) => `${name}.test.ts`) };
  });
}
