/** A system that this machine only emulates, and how. */
export interface Platform {
  /** As the companion's binaries and the command line call it. */
  readonly name: string;
  /** As tables call it: the system and what emulates it. */
  readonly title: string;
  /** Debian's packages with what emulates it. */
  readonly debian: readonly string[];
  /** Files of those packages, by which it shows whether they are installed. */
  readonly needed: readonly string[];
  /** The npm package that holds its Node, with the version. */
  readonly node: string;
  /** Where Node is in that package. */
  readonly program: string;
  /** Further lines for pnpm-workspace.yaml in the copy. */
  readonly workspace: string;
  /** What is run: worker, companion, and core or a part of it. */
  readonly tests: readonly string[];
  /** What is run with `--short`. */
  readonly short: readonly string[];
  /** Prepares what is not in the copy. */
  prepare(site: Site): void;
  /** The command that starts Node there with these arguments. */
  command(site: Site, args: readonly string[]): Command;
  /** Ends what is left of it. */
  end(site: Site): void;
}

/** Where a platform has its files. */
export interface Site {
  /** This repository. */
  readonly root: string;
  /** For all files of the platform. */
  readonly folder: string;
  /** The copy of the repository, with packages for the platform. */
  readonly tree: string;
  /** Its Node. */
  readonly node: string;
}

/** A program, and what it is started with. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}
