import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endpointConfig, parseServerAnswer } from '../../../../installer/settings/server-settings.ts';

const pin = `sha256:${'ab'.repeat(32)}`;

test('an address is taken in the forms in which people write it', () => {
  const answers = {
    'https://durantic.example:8443': 'https://durantic.example:8443',
    'https://durantic.example': 'https://durantic.example',
    'http://10.0.0.5:8080/': 'http://10.0.0.5:8080',
    'durantic.example': 'https://durantic.example:8443',
    'durantic.example:443': 'https://durantic.example',
    ' 10.0.0.5 ': 'https://10.0.0.5:8443',
    '10.0.0.5:9000': 'https://10.0.0.5:9000',
    '[fd00::5]:8443': 'https://[fd00::5]:8443',
    'fd00::5': 'https://[fd00::5]:8443',
    'HTTPS://Durantic.Example:8443': 'https://durantic.example:8443',
  };
  for (const [text, server] of Object.entries(answers)) {
    assert.deepEqual(parseServerAnswer(text), { server, pin: null }, text);
    assert.deepEqual(parseServerAnswer(`${text}  ${pin.toUpperCase()}`), { server, pin }, text);
  }
});

test('what is no address of a server gets its own sentence', () => {
  const problems = {
    '': /Nothing was typed/,
    'ftp://host': /must begin with https/,
    'https://host/path': /Only the address/,
    'https://user:secret@host': /Only the address/,
    'host sha256:12': /must be the pin/,
    'host a b': /too many words/,
    [pin]: /address comes first/,
    'ho st:x': /must be the pin/,
    'host:port': /is not the address/,
  };
  for (const [text, problem] of Object.entries(problems)) {
    const answer = parseServerAnswer(text);
    assert.match('problem' in answer ? answer.problem : 'none', problem, text);
    assert.ok(!('problem' in answer && answer.problem.includes('secret')), 'no password is shown');
  }
});

test('whatever is typed, the answer is an origin or a problem', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const answer = parseServerAnswer(text);
      if ('problem' in answer) assert.ok(answer.problem.length > 0);
      else assert.equal(new URL(answer.server).origin, answer.server);
    }),
  );
});

test('plain HTTP that was written out is asked for by name', () => {
  assert.deepEqual(endpointConfig({ server: 'http://a:1', pin: null, token: 't' }, null), {
    server: 'http://a:1',
    plain_http: true,
  });
  assert.deepEqual(endpointConfig({ server: 'https://a:1', pin, token: null }, 'http://proxy:3128'), {
    ...{ server: 'https://a:1', pin, proxy: 'http://proxy:3128' },
  });
});
