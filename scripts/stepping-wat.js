// Makes the stepping text of a .wat file: every atomic instruction becomes a call of a generated function that asks the explorer's
// scheduler first, then does that very instruction, and tells the scheduler what it read and wrote. Waits and notifications go to
// the scheduler's own. The sources are in folded form, so that an instruction with its immediates is all there is to replace.

const INSTRUCTION =
  /\(((?:i32|i64)\.atomic\.(?:load|store|rmw)[\w.]*|memory\.atomic\.(?:notify|wait32|wait64))((?:\s+(?:offset|align)=\w+)*)/g;

// As in src/explore/operations.ts.
const NUMBERS = { load: 0, store: 1, add: 2, sub: 3, and: 4, or: 5, xor: 6, xchg: 7, cmpxchg: 8 };

const IMPORTS = `
  (import "step" "point" (func $step.point (param i32 i32 i32)))
  (import "step" "done32" (func $step.done32 (param i32 i32 i32 i32 i32 i32)))
  (import "step" "done64" (func $step.done64 (param i32 i32 i32 i64 i64 i64)))
  (import "step" "wait32" (func $step.wait32 (param i32 i32 i64) (result i32)))
  (import "step" "wait64" (func $step.wait64 (param i32 i64 i64) (result i32)))
  (import "step" "notify" (func $step.notify (param i32 i32) (result i32)))`;

/** The text of the same module with every atomic instruction stepped. */
export function steppingWat(text) {
  const helpers = new Map();
  const body = text.replace(INSTRUCTION, (_, instruction, immediates) => {
    const offset = Number(/offset=(\w+)/.exec(immediates)?.[1] ?? 0);
    const name = `$step.${instruction}.${offset}`;
    if (!helpers.has(name)) helpers.set(name, helper(name, instruction, offset));
    return `(call ${name}`;
  });
  if (/[( ]atomic\.fence|(?<!step\.(?:i32|i64|memory))\.atomic\./.test(body)) {
    throw new Error('an atomic instruction that the explorer does not know');
  }
  const opened = body.replace(/\(module\b/, `(module${IMPORTS}`);
  const end = opened.lastIndexOf(')');
  return `${opened.slice(0, end)}\n${[...helpers.values()].join('\n')})`;
}

function helper(name, instruction, offset) {
  const at = `(i32.add (local.get $at) (i32.const ${offset}))`;
  const wait = /^memory\.atomic\.(wait32|wait64)$/.exec(instruction)?.[1];
  if (wait !== undefined) {
    const type = wait === 'wait32' ? 'i32' : 'i64';
    return `  (func ${name} (param $at i32) (param $a ${type}) (param $b i64) (result i32)
    (call $step.${wait} ${at} (local.get $a) (local.get $b)))`;
  }
  if (instruction === 'memory.atomic.notify') {
    return `  (func ${name} (param $at i32) (param $a i32) (result i32)
    (call $step.notify ${at} (local.get $a)))`;
  }
  const [, type, kind, width = '', operation = kind] =
    /^(i32|i64)\.atomic\.(load|store|rmw)(8|16|32)?(?:\.(\w+?))?(?:_u)?$/.exec(instruction) ?? [];
  const number = NUMBERS[operation];
  if (number === undefined) throw new Error(`no number for ${instruction}`);
  const bytes = Number(width || type.slice(1)) / 8;
  const arguments_ = { load: 0, cmpxchg: 2 }[operation] ?? 1;
  const names = ['$a', '$b'].slice(0, arguments_);
  const zero = `(${type}.const 0)`;
  const value = (k) => (k < arguments_ ? `(local.get ${names[k]})` : zero);
  const result = operation === 'store' ? '' : `(result ${type})`;
  const call = `(${instruction} offset=${offset} (local.get $at) ${names.map((n) => `(local.get ${n})`).join(' ')})`;
  return `  (func ${name} (param $at i32) ${names.map((n) => `(param ${n} ${type})`).join(' ')} ${result}
    (local $r ${type})
    (call $step.point (i32.const ${number}) ${at} (i32.const ${bytes}))
    ${result === '' ? call : `(local.set $r ${call})`}
    (call $step.done${type.slice(1)} (i32.const ${number}) ${at} (i32.const ${bytes}) (local.get $r) ${value(0)} ${value(1)})
    ${result === '' ? '' : '(local.get $r)'})`;
}
