import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCodes } from '../../../../core/base/error-codes.ts';
import { adviceFor, hasOwnAdvice } from '../../../../installer/console/advice.ts';
import { sourceFiles } from '../../project/source-files.ts';

/** What runs inside the installer. */
const folders = ['installer/', 'agent/', 'protocol/', 'core/base/', 'core/oci/', 'core/stream/', 'core/pinned-ca/'];

test('every code that the installer can throw has a sentence of its own', () => {
  const text = sourceFiles()
    .filter(({ path }) => folders.some((folder) => path.startsWith(folder)))
    // On its way into the installer a machine is not there yet.
    .filter(({ path }) => !path.startsWith('agent/reentry/'))
    .filter(({ path }) => path !== 'core/base/error-codes.ts' && path !== 'installer/console/advice.ts')
    .map((file) => file.text)
    .join('\n');
  const thrown = Object.keys(errorCodes).filter((code) => text.includes(`'${code}'`));
  assert.ok(thrown.length > 60, `only ${thrown.length} codes found`);
  assert.deepEqual(
    thrown.filter((code) => !hasOwnAdvice(code)),
    [],
  );
});

test('advice is ASCII, a sentence, and short enough for three lines of a small screen', () => {
  for (const code of Object.keys(errorCodes)) {
    assert.match(adviceFor(code), /^[A-Z][ -~]{10,180}[.]$/, code);
  }
});

test('a code that nobody knows counts as a defect', () => {
  assert.match(adviceFor('no_such_code'), /report/);
  assert.match(adviceFor('constructor'), /report/);
});
