import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRootArgument } from '../../../../agent/boot/check-root-argument.ts';
import { bootLayout, identities } from '../../../builders/boot-layout.ts';

const layout = bootLayout('/nowhere');

const good = [
  `ro root=UUID=${identities.rootFs.toUpperCase()} quiet`,
  `root=PARTUUID=${identities.rootPart}`,
  `root=/dev/disk/by-uuid/${identities.rootFs}`,
  `root=UUID=other root=UUID=${identities.rootFs}`,
  'quiet',
];
for (const line of good) {
  test(`accepts ${line}`, () => assert.deepEqual(checkRootArgument(line, layout).warnings, []));
}

const doubtful = ['root=/dev/vda3', 'root=LABEL=root', 'root=PARTLABEL=sys', 'root=/dev/disk/by-label/root'];
for (const line of doubtful) {
  test(`warns of ${line}`, () => assert.equal(checkRootArgument(line, layout).warnings.length, 1));
}

const wrong = [
  `root=UUID=${identities.bootFs}`,
  `root=PARTUUID=${identities.espPart}`,
  'root=LABEL=other',
  `root=/dev/disk/by-partuuid/${identities.rootFs}`,
];
for (const line of wrong) {
  test(`refuses ${line}`, () => {
    assert.throws(() => checkRootArgument(line, layout), {
      code: 'boot_path_invalid',
      message: /but the installed root has/,
    });
  });
}
