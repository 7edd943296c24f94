// What the library throws, as data.

import { expect } from 'vitest';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly found: unknown;
  readonly expected: unknown;
  readonly remedy: string;
}

/** Runs what must fail with this code; every failure says what to do about it. */
export function failure(code: string, step: () => unknown): Failure {
  let thrown: unknown;
  try {
    step();
  } catch (error) {
    thrown = error;
  }
  return checked(code, thrown);
}

/** The same of what must reject. */
export async function rejection(code: string, attempt: Promise<unknown>): Promise<Failure> {
  return checked(
    code,
    await attempt.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
}

function checked(code: string, thrown: unknown): Failure {
  expect(thrown, `${code} is thrown`).toMatchObject({
    name: 'CoexistError',
    code,
    remedy: expect.stringMatching(/\w.*\.$/),
  });
  const { message, found, expected, remedy } = thrown as Failure;
  expect(message.startsWith(`${code}: `)).toBe(true);
  expect(message.endsWith(remedy)).toBe(true);
  return { code, message, found, expected, remedy };
}
