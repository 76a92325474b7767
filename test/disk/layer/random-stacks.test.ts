import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { ProvisionError } from '../../../core/base/errors.ts';
import { buildTar, type RawEntry } from '../../builders/tar-builder.ts';
import { Arena, type ArenaCase } from './arena.ts';

let arena: Arena;
before(async () => {
  arena = await Arena.open();
});
after(async () => {
  await arena[Symbol.asyncDispose]();
});

/** Few names, so that entries meet: folders are mostly a to c, links l and m, files f and g, but not always. */
const parent = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 6, arbitrary: fc.constantFrom('l', 'm') },
  { weight: 1, arbitrary: fc.constantFrom('f', '..', '.wh.a') },
);
const named = (...names: string[]): fc.Arbitrary<string> => {
  const last = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.constantFrom('a', 'b', 'l', 'f') },
  );
  return fc.tuple(fc.array(parent, { maxLength: 3 }), last).map(([parents, name]) => [...parents, name].join('/'));
};
const metadata = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o1777, 0o2750, 0),
  uid: fc.integer({ min: 0, max: 3 }),
  gid: fc.integer({ min: 0, max: 3 }),
  mtime: fc.integer({ min: 0, max: 1_600_000_000 }),
});
const xattrs = fc.constantFrom<Pick<RawEntry, 'pax'>>(
  {},
  {},
  { pax: [['SCHILY.xattr.trusted.t', 'v']] },
  {
    pax: [
      ['mtime', '1500000000.25'],
      ['SCHILY.xattr.trusted.u', 'w'],
    ],
  },
);
const make = (typeflag: string, ...names: string[]): fc.Arbitrary<RawEntry> =>
  fc.tuple(named(...names), metadata, xattrs).map(([name, more, pax]) => ({ name, typeflag, ...more, ...pax }));
const file = fc.tuple(make('0', 'f', 'g'), fc.string({ maxLength: 1500 })).map(([entry, data]) => ({ ...entry, data }));
const somewhere = named('a', 'b', 'f', 'g', 'l');
const target = fc.oneof(
  somewhere,
  somewhere.map((name) => `/${name}`),
  somewhere.map((name) => `../../${name}`),
  fc.tuple(somewhere, somewhere).map(([through, name]) => `${through}/../${name}`),
  fc.constantFrom('.', '..', '/', '../b', '/a/b'),
);
const symlink = fc.tuple(make('2', 'l', 'm'), target).map(([entry, linkName]) => ({ ...entry, linkName }));
/** `#N`: to the Nth name that was made before, so that most targets exist. */
const linkTarget = fc.oneof(
  { weight: 12, arbitrary: fc.nat(100).map((index) => `#${index}`) },
  { weight: 1, arbitrary: somewhere },
);
const hardlink = fc.tuple(make('1', 'f', 'g'), linkTarget).map(([entry, linkName]) => ({ ...entry, linkName }));
const whiteout = fc
  .tuple(named('a', 'b', 'c', 'l'), fc.constantFrom('a', 'b', 'f', 'g', 'l'), fc.boolean())
  .map(([folder, name, isOpaque]) => ({ name: `${folder}/${isOpaque ? '.wh..wh..opq' : `.wh.${name}`}` }));
const topWhiteout = fc.constantFrom('.wh.a', '.wh.b', '.wh.f', '.wh.l', '.wh..wh..opq').map((name) => ({ name }));
const entry: fc.Arbitrary<RawEntry> = fc.oneof(
  { weight: 8, arbitrary: file },
  { weight: 8, arbitrary: make('5', 'a', 'b', 'c') },
  { weight: 3, arbitrary: symlink },
  { weight: 2, arbitrary: hardlink },
  { weight: 1, arbitrary: make('6', 'f', 'g') },
  { weight: 2, arbitrary: whiteout },
  { weight: 1, arbitrary: topWhiteout },
);
const stack = fc.array(fc.array(entry, { maxLength: 12 }), { minLength: 1, maxLength: 3 });

/** Stacks of random layers; those that umoci refuses we refuse as well. */
it('F47 F48 F49 random stacks of layers give the tree that umoci gives', async (test) => {
  const seed = Number(process.env['DURANTIC_SEED'] ?? Date.now() % 2 ** 31);
  const numRuns = Number(process.env['DURANTIC_RUNS'] ?? 120);
  test.diagnostic(`seed ${seed}, ${numRuns} runs (DURANTIC_SEED, DURANTIC_RUNS)`);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(stack, async (layers) => {
      if (!(await check(arena.newCase(), layers))) refused += 1;
    }),
    { seed, numRuns },
  );
  test.diagnostic(`${refused} of ${numRuns} stacks were refused by both`);
  assert.ok(refused < numRuns * 0.6, `too few stacks were extracted: ${refused} of ${numRuns} refused`);
});

async function check(one: ArenaCase, layers: readonly (readonly RawEntry[])[]): Promise<boolean> {
  const made: string[] = [];
  const tars = layers.map((entries) => buildTar(entries.flatMap((each) => withTarget(each, made))));
  const outcome = await one.compare(tars);
  one.assertCanary();
  if (outcome.umociError !== null) {
    const { ourError } = outcome;
    assert.ok(ourError instanceof ProvisionError, `umoci: ${outcome.umociError.message}; we: ${String(ourError)}`);
    assert.equal(ourError.kind, 'integrity', ourError.message);
    return false;
  }
  if (outcome.ourError !== null) throw outcome.ourError;
  assert.deepEqual(outcome.differences, []);
  return true;
}

/** The entry with its `#N` resolved; nothing where there is no name yet. */
function withTarget(each: RawEntry, made: string[]): RawEntry[] {
  const { name = '', linkName, typeflag } = each;
  const isNumbered = typeflag === '1' && linkName?.startsWith('#');
  const chosen = isNumbered ? made[Number(linkName?.slice(1)) % made.length] : linkName;
  if (isNumbered && (chosen === undefined || chosen === name)) return [];
  if (typeflag === '0' || typeflag === '6') made.push(name);
  return [{ ...each, ...(chosen === undefined ? {} : { linkName: chosen }) }];
}
