import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePin, pinOfCertificate } from '../../../../core/pinned-ca/pin.ts';

// openssl req -x509 -newkey ed25519 -nodes -subj '/CN=pin test' -days 36500; the pin by
// openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum
const certificate = `-----BEGIN CERTIFICATE-----
MIIBPDCB76ADAgECAhRBcy3gG9wf7mYkskTaNYx5ZAl4dzAFBgMrZXAwEzERMA8G
A1UEAwwIcGluIHRlc3QwIBcNMjYxMTIwMTEwNDA4WhgPMjEyNjEwMjcxMTA0MDha
MBMxETAPBgNVBAMMCHBpbiB0ZXN0MCowBQYDK2VwAyEAtzDjBEoBeJ1SmLPrnv4T
4QK4AonGEJtg7ejtRcBJs7GjUzBRMB0GA1UdDgQWBBSCaV6dnJbhfYsKHNZvykP6
8JayxDAfBgNVHSMEGDAWgBSCaV6dnJbhfYsKHNZvykP68JayxDAPBgNVHRMBAf8E
BTADAQH/MAUGAytlcANBAOxf9fKvBb8SaSK+4PmTwxbXgymcqbtvL4DKeq2qTT5d
Aq5HjeO5Z/gkQa8XVAmAeG07L8ijGS3z3zkon61NCQ4=
-----END CERTIFICATE-----
`;
const pin = 'sha256:38203908cebe6d70de77ea1f590ec16979436a28a9a00964883f6397a60d5d5a';

test('the pin of a certificate is the SHA-256 of its SubjectPublicKeyInfo, as openssl gives it', () => {
  assert.equal(pinOfCertificate(certificate), pin);
});

test('a pin is read whatever the case of its digits, and with spaces around it', () => {
  assert.equal(parsePin(` ${pin.toUpperCase()}\n`), pin);
});

for (const text of ['', 'sha256:', pin.slice(0, -1), `${pin}0`, pin.replace('sha256', 'sha1'), pin.slice(7)]) {
  test(`a pin of another form is refused: ${JSON.stringify(text)}`, () => {
    assert.throws(() => parsePin(text), { code: 'usage' });
  });
}

test('what is no certificate has no pin', () => {
  assert.throws(() => pinOfCertificate('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), {
    code: 'server_answer_invalid',
  });
});
