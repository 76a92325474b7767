import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseHostname } from '../../../../control-plane/enrolment/choose-hostname.ts';

const machineUuid = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';
const macs = ['d0:94:66:00:ab:cd'];

test('a machine keeps the name that it has', () => {
  for (const hostname of ['rack-3', 'db1.example.com', 'Web01']) {
    assert.equal(chooseHostname({ hostname, macs, machineUuid }), hostname);
  }
});

test('without a name that is one it is called after its first address, else its UUID', () => {
  const names = [null, '', 'localhost', 'LOCALHOST.localdomain', '(none)', '-x', 'a b', 'x\u001b[2J', 'a'.repeat(64)];
  for (const hostname of names) assert.equal(chooseHostname({ hostname, macs, machineUuid }), 'node-00abcd');
  assert.equal(chooseHostname({ hostname: null, macs: [], machineUuid }), 'node-cca427');
});
