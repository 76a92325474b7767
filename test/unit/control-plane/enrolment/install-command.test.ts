import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installCommand, kernelParameters } from '../../../../control-plane/enrolment/install-command.ts';
import { parseKernelParameters } from '../../../../protocol/kernel-parameters.ts';

const publicUrls = ['https://10.0.0.1:8443', 'https://second:8443'];
const pin = `sha256:${'ab'.repeat(32)}`;

test('with a CA of its own the line pins the server key', () => {
  const server = { publicUrls, pin, leafPin: 'sha256//q83vASNFZ4k=' };
  assert.equal(
    installCommand(server, 'TOKEN'),
    "curl -k --pinnedpubkey 'sha256//q83vASNFZ4k=' -sfL https://10.0.0.1:8443/install.sh | DURANTIC_TOKEN=TOKEN bash -",
  );
});

test('with a certificate that is trusted by everybody, and without TLS, there is nothing to pin', () => {
  const expected = 'curl -sfL https://10.0.0.1:8443/install.sh | DURANTIC_TOKEN=TOKEN bash -';
  assert.equal(installCommand({ publicUrls, pin: null, leafPin: 'sha256//q83vASNFZ4k=' }, 'TOKEN'), expected);
  assert.equal(installCommand({ publicUrls, pin: null, leafPin: null }, 'TOKEN'), expected);
});

test('the kernel parameters are what the installer reads back, a word each, and no pin where there is none', () => {
  const server = 'https://10.0.0.1:8443';
  const words = kernelParameters({ server, pin, token: 'TOKEN' });
  assert.deepEqual([...words].sort(), [`durantic.pin=${pin}`, `durantic.server=${server}`, 'durantic.token=TOKEN']);
  const { parameters, problems, unknown } = parseKernelParameters(words.join(' '));
  assert.deepEqual([parameters.server, parameters.pin, parameters.token], [server, pin, 'TOKEN']);
  assert.deepEqual([problems, unknown], [[], []]);
  assert.ok(!kernelParameters({ server, pin: null, token: 'TOKEN' }).join(' ').includes('pin'));
});

test('what cannot stand on a kernel command line is refused with a sentence', () => {
  const token = 'x'.repeat(4000);
  assert.throws(() => kernelParameters({ server: 'https://10.0.0.1:8443', pin, token }), { status: 422 });
});
