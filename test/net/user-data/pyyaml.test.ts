import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCloudConfig } from '../../../control-plane/user-data/parse-cloud-config.ts';
import { isTextInPyYaml } from '../../../control-plane/user-data/pyyaml-scalars.ts';
import { writeCloudConfig } from '../../../control-plane/user-data/write-cloud-config.ts';
import { debianPython } from '../../builders/debian-python.ts';

/** Scalars whose meaning differs between versions of YAML, or that are easily broken. */
const scalars = [
  'yes',
  'No',
  'on',
  'OFF',
  'y',
  'n',
  'true',
  'True',
  'null',
  'Null',
  '~',
  '0644',
  '0o644',
  '0x1F',
  '0b101',
  '1_000',
  '012',
  '08',
  '09.5',
  '1e3',
  '1.5e3',
  '1.5e+3',
  '.5',
  '5.',
  '.inf',
  '-.INF',
  '.nan',
  '+12',
  '-0',
  '12:30',
  '12:30:45',
  '190:20:30',
  '190:20:30.15',
  '2001-12-14',
  '2001-1-1',
  '2001-12-14t21:59:43.10-05:00',
  '2001-12-14 21:59:43.10 -5',
  '2002-12-1a',
  '=',
  'a=b',
  '<',
  '1.2.3',
  '10.0.0.1',
  '10.0.0.0/24',
  'fd00::1',
  '::1',
  '00:16:3e:00:00:01',
  '52:54:00:12:34:56',
  '11:22:33',
  '/etc/x',
  'a b',
  "it's",
  'a#b',
  'http://x.test/a?b=c',
  '100%',
  '$6$rounds=4096$salt/hash.',
  'ssh-ed25519 AAAA me@host',
  'gh:user',
  'C:\\x',
  'a:b',
  'é',
  '日本',
  '--',
  '---',
  '...',
  '.',
  'a: b'.replace(': ', ':'),
  '0',
  '00',
  '0_',
  '_1',
  '1__0',
  '0x',
  '0b',
  '9999999999999999999999',
  '1:2',
  '1:60',
  '0:0',
  '1.',
  '1.e5',
  '1.5E+3',
  '.e5',
  '+.5',
  '-.5',
  'Y',
  'N',
  'nULL',
  'tRUE',
];

const text = fc.oneof(
  { arbitrary: fc.constantFrom(...scalars), weight: 4 },
  fc
    .array(
      fc.constantFrom(
        'a',
        ' ',
        '\n',
        '\t',
        ':',
        '#',
        '- ',
        '"',
        "'",
        '\\',
        '%',
        '{',
        '[',
        '|',
        '>',
        '&',
        '*',
        '!',
        '@',
        '`',
        ', ',
        '? ',
        'é',
        '😀',
        '\u0085',
        '\u2028',
        '\u00a0',
        '\u0007',
        '\u007f',
        '\ufeff',
        '\r',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.toWellFormed()),
);
type Json = string | Json[] | { [key: string]: Json };
const { node } = fc.letrec<{ node: Json }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    text,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(text, tie('node'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** PyYAML reads every JSON text as it is, but for characters that it wants escaped. */
function asYaml(value: Json): string {
  return JSON.stringify(value).replaceAll(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function rewritten(yaml: string): string {
  const map = parseCloudConfig('r', yaml);
  assert.ok(map !== null, yaml);
  return writeCloudConfig(map);
}

test('plain scalars are texts for us when they are for PyYAML', async () => {
  const read = await debianPython<string[]>(
    'yaml',
    scalars.map((scalar) => `k: ${scalar}`),
  );
  for (const [index, scalar] of scalars.entries()) {
    const isText = /^\{'k': ['"]/.test(read[index] ?? '');
    if (read[index]?.startsWith('error')) continue;
    assert.equal(isTextInPyYaml(scalar), isText, `${scalar} is ${read[index]}`);
  }
});

test('what is written again means the same to PyYAML: plain scalars', async () => {
  const forms = (scalar: string): string[] => [
    `a: ${scalar}\n`,
    `a: [${scalar}, 1]\n`,
    `${scalar}: 1\n`,
    `a: "${scalar.replaceAll('\\', '\\\\')}"\n`,
  ];
  const documents = scalars.flatMap(forms);
  const read = await debianPython<string[]>('yaml', documents);
  const valid = documents.filter((_, index) => read[index]?.startsWith('{') ?? false);
  assert.ok(valid.length > documents.length * 0.9, `${valid.length} of ${documents.length}`);
  await assertSame(valid.map((document) => [document, rewritten(document)]));
});

test('what is written again means the same to PyYAML: any texts, lists and maps', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
  const values = fc.sample(node, { seed, numRuns: 2000 });
  const documents = values.map((value) => asYaml({ k: value }));
  await assertSame(
    documents.map((document) => [document, rewritten(document)]),
    `seed ${seed}: `,
  );
});

test('what is written again means the same to PyYAML: blocks, folds, tags, anchors, times and odd indentation', async () => {
  const documents = [
    'a: |\n  one\n   two\n\nb: |-\n  x\nc: |+\n  x\n\n\nd: >\n  folded\n  text\n\n  more\n',
    'a: |2\n   leading\n  x\n',
    'a: |\n\n  empty first\n',
    'a: !!binary |\n  R0lGODlhDAAMAIQAAP\n  //9/X17unp5WZmZg==\nb: !!str 0644\nc: ! 12\nd: !!int "12"\ne: !!float "1"\nf: !!null ""\n',
    'a: &x [1, yes, "no"]\nb: *x\nc: &m {p: 1}\nd: {<<: *m, q: 2}\n',
    'when: 2001-12-14t21:59:43.10-05:00\nday: 2001-12-14\n',
    'write_files:\n- path: /x\n  permissions: 0644\n- path: /y\n  permissions: "0644"\n',
    'runcmd:\n- [ls, -l, "#x"]\n-   - nested\n    - list\n-\n  - deeper\n',
    'a:\nb: ~\nc: ""\n',
    'a: multi\n  line plain\n\n  text\n',
    "a: 'single '' quoted'\nb: \"double \\x41 \\u00e9 \\n\"\n",
    '"quoted key": 1\n? long\n: 2\n12: int key\nyes: bool key\n',
    `? "${'k '.repeat(700)}"\n: {a: [1, {b: c}]}\n`,
    'a: {}\nb: []\nc: [{}, [], [[]], {d: {}}]\n',
    'chpasswd:\n  list: |\n    root:x\n    a:$6$b\n',
  ];
  await assertSame(documents.map((document) => [document, rewritten(document)]));
});

async function assertSame(pairs: readonly (readonly [string, string])[], label = ''): Promise<void> {
  const before = await debianPython<string[]>(
    'yaml',
    pairs.map(([document]) => document),
  );
  const after = await debianPython<string[]>(
    'yaml',
    pairs.map(([, written]) => written),
  );
  for (const [index, [document, written]] of pairs.entries()) {
    assert.ok(!before[index]?.startsWith('error'), `${label}PyYAML refuses ${document}: ${before[index]}`);
    assert.equal(after[index], before[index], `${label}${document}\nbecame\n${written}`);
  }
}
