// A sub-command of `coexist`.

export interface Command {
  /** Returns the exit code: 0 where it did what was asked, 2 where the arguments make no sense. */
  run(args: readonly string[]): number | Promise<number>;
}
