import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { chooseServer } from '../../../../installer/settings/choose-server.ts';
import { ServerChoice } from '../../../../installer/settings/server-choice.ts';
import type { IsoSettings } from '../../../../protocol/iso-settings.ts';
import { diskFacts } from '../../agent/hardware/disk-facts.ts';

const server = 'https://b.example:8443';
const other = 'https://a.example:8443';
const pin = `sha256:${'b'.repeat(64)}`;
const otherPin = `sha256:${'a'.repeat(64)}`;

/** What is chosen, and what is said, with these settings on the command line and on media, in this order. */
async function choiceOf(
  given: { readonly server?: string; readonly pin?: string; readonly token?: string },
  ...media: readonly IsoSettings[]
) {
  const said: string[] = [];
  const choice = new ServerChoice(() => undefined);
  const byPath = new Map(media.map((settings, index) => [`/dev/sr${index}`, settings]));
  await chooseServer({
    choice,
    given: { server: null, pin: null, token: null, ...given },
    listDisks: async () => [...byPath.keys()].map((path) => diskFacts({ name: basename(path), kind: 'cdrom' })),
    read: async (device) => ({ kind: 'block', settings: byPath.get(device) ?? null }),
    emit: (event) => void (event.kind === 'notice' && said.push(event.text)),
    mediumWaitMs: 0,
    signal: AbortSignal.timeout(10_000),
  });
  return { chosen: choice.current, said };
}

test('each value of the command line overrides that of the medium of its server', async () => {
  const medium = { server, pin: otherPin, token: 'medium' };
  assert.deepEqual((await choiceOf({ server, pin }, medium)).chosen, { server, pin, token: 'medium' });
  assert.deepEqual((await choiceOf({ server }, medium)).chosen, { server, pin: otherPin, token: 'medium' });
  assert.deepEqual((await choiceOf({ token: 'given' }, medium)).chosen, { server, pin: otherPin, token: 'given' });
});

test('a medium of another server gives neither pin nor token, and is named', async () => {
  const { chosen, said } = await choiceOf({ server }, { server: other, pin: otherPin, token: 'secret' });
  assert.deepEqual(chosen, { server, pin: null, token: null });
  assert.deepEqual(said, [
    `the installation medium /dev/sr0 belongs to ${other}: its settings are not used for ${server}`,
  ]);
});

test('of several media the one of the server that the command line names is used', async () => {
  const media = [
    { server: other, pin: otherPin },
    { server, pin, token: 'own' },
  ];
  assert.deepEqual((await choiceOf({ server }, ...media)).chosen, { server, pin, token: 'own' });
});
