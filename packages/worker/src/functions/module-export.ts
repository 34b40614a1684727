/** Loads a module into this thread and returns its export. Throws a TypeError if that is no function or class. */
export async function moduleExport(source: {
  readonly module: string;
  readonly export: string;
}): Promise<(...args: unknown[]) => unknown> {
  const value = await anyExport(source);
  if (typeof value !== "function")
    throw new TypeError(`the module ${source.module} has no function "${source.export}"`);
  return value as (...args: unknown[]) => unknown;
}

/** The module's export of that name, of any type. */
export async function anyExport(source: {
  readonly module: string;
  readonly export: string;
}): Promise<unknown> {
  const module = (await import(/* webpackIgnore: true */ source.module)) as Record<string, unknown>;
  return module[source.export];
}
