// A client knows its methods from their types: names, arguments, results without their promises, and no `this`.

import { attach } from 'coexist';
import { type CallContext, connect, serve } from 'coexist/call';
import { expect, expectTypeOf, test } from 'vitest';

const methods = {
  add: (a: number, b: number): number => a + b,
  later: async (text: string): Promise<string[]> => [text],
  who(this: CallContext): number {
    return this.caller.threadId;
  },
};

interface Declared {
  add(a: number, b: number): number;
}

test('of an interface', () => {
  attach();
  const server = serve('declared', methods);
  const client = connect<Declared>('declared');
  expectTypeOf(client.callSync<'add'>).parameters.toEqualTypeOf<['add', number, number]>();
  expect(client.callSync('add', 1, 2)).toBe(3);
  // @ts-expect-error: not in the interface
  expect(() => client.callSync('sub')).toThrow('"sub"');
  client.close();
  server.close();
});

test('of the methods that are served', async () => {
  attach();
  const server = serve('typed', methods);
  const client = connect<typeof methods>('typed');
  expectTypeOf(client.callSync<'add'>).parameters.toEqualTypeOf<['add', number, number]>();
  expectTypeOf(client.callSync<'who'>).parameters.toEqualTypeOf<['who']>();
  const sum = client.callSync('add', 1, 2);
  expectTypeOf(sum).toEqualTypeOf<number>();
  expect(sum).toBe(3);
  const list = client.call('later', 'a');
  expectTypeOf(list).toEqualTypeOf<Promise<string[]>>();
  expect(await list).toEqual(['a']);
  expect(client.callSync('who')).toBe(0);
  // @ts-expect-error: no such method
  expect(() => client.callSync('sub')).toThrow('"sub"');
  // @ts-expect-error: no number
  expect(client.callSync('add', '1', 2)).toBe('12');
  client.close();
  server.close();
});
