import fc from 'fast-check';

/** Text with what breaks things: lone surrogates, NUL, escapes of terminals, quotes of SQL and templates. */
const nastyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud800',
    'x\udfff\ud800',
    '\u001b[2J\u0007',
    "'; DROP TABLE machines; --",
    '{{ 1 // 0 }}{% for %}',
    '../../../../etc/passwd',
    'a'.repeat(5000),
    '\u202eright to left',
    'null',
    '__proto__',
  ),
);

const nastyNumber = fc.oneof(
  fc.constantFrom(-1, 0, -0, 0.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 5e-324, Number.MAX_SAFE_INTEGER),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
);

const nastyKey = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'type',
      'then',
      '',
    ),
  },
);

/** Any value that JSON can hold, prototype keys included: objects are lists of entries until they are text. */
const nastyJson: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.constantFrom('null', 'true', 'false', '[]', '{}'),
      nastyNumber.map((number) => JSON.stringify(number)),
      nastyText.map((text) => JSON.stringify(text)),
      // Valid JSON that JavaScript reads as Infinity or with a lost digit.
      fc.constantFrom('1e400', '-1e400', '123456789012345678901234567890', '"\\ud800"'),
    ),
    fc.array(tie('value'), { maxLength: 5 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(nastyKey, tie('value')), { maxLength: 5 })
      .map((entries) => `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`),
  ),
})).value;

/** Nested deeper than any recursion goes. */
const deepJson = fc
  .tuple(fc.integer({ min: 100, max: 200_000 }), fc.constantFrom(['[', ']'] as const, ['{"a":', '}'] as const))
  .map(([depth, [open, close]]) => `${open.repeat(depth)}1${close.repeat(depth)}`);

/** JSON text of any kind. */
export const anyJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 60, arbitrary: nastyJson },
  { weight: 1, arbitrary: deepJson },
);

type Mutation = {
  readonly place: number;
  readonly how: 'replace' | 'delete' | 'add' | 'keep';
  readonly key: string;
  readonly value: string;
};

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat({ max: 1000 }),
  how: fc.constantFrom('replace' as const, 'replace', 'delete', 'add', 'keep'),
  key: nastyKey,
  value: anyJson,
});

/** JSON text of a valid value in which up to three places were replaced, removed or added to. */
export function mutatedJson(valid: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc
    .tuple(valid, fc.array(mutation, { maxLength: 3 }))
    .map(([value, mutations]) => mutations.reduce(mutate, JSON.stringify(value)));
}

/** Text that is not JSON: cut off, with a byte too many, or nothing like it. */
export function brokenJson(valid: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc.oneof(
    fc.tuple(valid, fc.nat({ max: 400 })).map(([value, at]) => {
      const text = JSON.stringify(value);
      return text.slice(0, Math.min(at, text.length - 1));
    }),
    valid.map((value) => `${JSON.stringify(value)}}`),
    fc.string({ unit: 'binary', maxLength: 60 }).map((text) => `!${text}`),
    fc.constantFrom('', ' ', '{', 'undefined', 'NaN', "{'a': 1}", '{"a":1,}', '[1', '"', '\ufeff{}', '//'),
  );
}

/** Works on the text, so that keys such as `__proto__` stay keys and deep values are never walked. */
function mutate(text: string, { place, how, key, value }: Mutation): string {
  const root = parse(text);
  if (root === undefined) return text;
  const places = placesOf(root);
  const target = places[place % Math.max(1, places.length)];
  if (target === undefined || how === 'keep') return how === 'keep' ? text : value;
  const marker = `\u0001${place}\u0001`;
  if (how === 'delete') {
    if (Array.isArray(target.holder)) target.holder.splice(Number(target.key), 1);
    else delete target.holder[target.key];
    return JSON.stringify(root);
  }
  if (how === 'add' && !Array.isArray(target.holder)) {
    return JSON.stringify({ ...root, [marker]: 0 }).replace(
      `${JSON.stringify(marker)}:0`,
      () => `${JSON.stringify(key)}:${value}`,
    );
  }
  target.holder[target.key] = marker;
  return JSON.stringify(root).replace(JSON.stringify(marker), () => value);
}

type Holder = Record<string, unknown>;

function placesOf(value: unknown, depth = 0): { holder: Holder; key: string }[] {
  if (typeof value !== 'object' || value === null || depth > 8) return [];
  const holder = value as Holder;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesOf(holder[key], depth + 1)]);
}

function parse(text: string): object | undefined {
  // A value that was put in earlier may be too deep to be written again.
  if (/[[{]{50}|(\{"a":){50}/.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
