/** A promise to wait for, and the function that resolves it. */
export interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export function gate(): Gate {
  let resolve!: () => void;
  const opened = new Promise<void>((done) => {
    resolve = done;
  });
  return { opened, open: resolve };
}
