import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { createApiClient } from '../../../core/api-client/create-api-client.ts';
import { parsePin } from '../../../core/pinned-ca/pin.ts';
import { type KeyCertificates, makeKeyCertificates } from '../../builders/key-certificates.ts';
import { ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources } from '../../resources.ts';

/** A server in between that shows what `certificate` makes of its own and the genuine certificates. */
async function askThrough(
  resources: Resources,
  certificate: (genuine: KeyCertificates, own: KeyCertificates) => string,
): Promise<{ answer: Promise<unknown>; requests: string[] }> {
  const genuine = await makeKeyCertificates(resources);
  const own = await makeKeyCertificates(resources);
  const requests: string[] = [];
  const server = await ScriptedServer.start(resources, {
    tls: own,
    routes: {
      'GET /api/agent/ca': () => ({
        status: 200,
        body: { certificate: certificate(genuine, own), server_time: new Date().toISOString() },
      }),
      'GET /api/provisioning/machines/': (_body, request) => {
        requests.push(JSON.stringify(request.headers));
        return { status: 200, body: [] };
      },
    },
  });
  const trust = { kind: 'pin', pin: parsePin(genuine.pin) } as const;
  const answer = (async () => {
    await using client = createApiClient({ endpoint: server.origin, token: 'dur_secret', trust });
    return await client.get('/api/provisioning/machines/', z.array(z.unknown()));
  })();
  return { answer, requests };
}

const shown: readonly [string, (genuine: KeyCertificates, own: KeyCertificates) => string, string][] = [
  ['the right CA', (genuine) => genuine.ca, 'server_untrusted'],
  ['the right CA and its own behind it', (genuine, own) => genuine.ca + own.ca, 'server_untrusted'],
  ['its own CA and the right one behind it', (genuine, own) => own.ca + genuine.ca, 'server_pin_mismatch'],
];
for (const [what, certificate, code] of shown) {
  test(`who stands in between and shows ${what} is refused and gets no token of the operator`, async () => {
    await using resources = new Resources();
    const { answer, requests } = await askThrough(resources, certificate);
    await assert.rejects(answer, { code });
    assert.deepEqual(requests, []);
  });
}
