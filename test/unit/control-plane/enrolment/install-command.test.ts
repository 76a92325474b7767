import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installCommand, kernelParameters } from '../../../../control-plane/enrolment/install-command.ts';

const publicUrls = ['https://10.0.0.1:8443', 'https://second:8443'];
const pin = `sha256:${'ab'.repeat(32)}`;

test('with a CA of its own the line pins the server key', () => {
  const server = { publicUrls, pin, leafPin: 'sha256//q83vASNFZ4k=' };
  assert.equal(
    installCommand(server, 'TOKEN'),
    "curl -k --pinnedpubkey 'sha256//q83vASNFZ4k=' -sfL https://10.0.0.1:8443/install.sh | DURANTIC_TOKEN=TOKEN bash -",
  );
  assert.equal(
    kernelParameters(server, 'TOKEN'),
    `durantic.server=https://10.0.0.1:8443 durantic.token=TOKEN durantic.pin=${pin}`,
  );
});

test('with a certificate that is trusted by everybody, and without TLS, there is nothing to pin', () => {
  const expected = 'curl -sfL https://10.0.0.1:8443/install.sh | DURANTIC_TOKEN=TOKEN bash -';
  assert.equal(installCommand({ publicUrls, pin: null, leafPin: 'sha256//q83vASNFZ4k=' }, 'TOKEN'), expected);
  assert.equal(installCommand({ publicUrls, pin: null, leafPin: null }, 'TOKEN'), expected);
  assert.equal(
    kernelParameters({ publicUrls, pin: null, leafPin: null }, 'TOKEN'),
    'durantic.server=https://10.0.0.1:8443 durantic.token=TOKEN',
  );
});
