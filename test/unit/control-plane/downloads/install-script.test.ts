import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  fillInstallScript,
  type InstallScriptValues,
  installScriptTemplate,
} from '../../../../control-plane/downloads/install-script.ts';

const repo = join(import.meta.dirname, '../../../..');
const values: InstallScriptValues = {
  server: 'https://10.0.0.5:8443',
  pin: `sha256:${'ab'.repeat(32)}`,
  leafPin: 'sha256//AAAA=',
  bundle: { sha256: 'cd'.repeat(32), sizeBytes: 43_998_550 },
};

test('install.sh gets the values of its server, and no place is left', () => {
  const script = fillInstallScript(installScriptTemplate(), values);
  assert.match(script, /^server='https:\/\/10\.0\.0\.5:8443'$/m);
  assert.match(script, /^pin='sha256:(ab){32}'$/m);
  assert.match(script, /^leaf_pin='sha256\/\/AAAA='$/m);
  assert.match(script, /^bundle_sha256='(cd){32}'$/m);
  assert.match(script, /^bundle_kib='42968'$/m);
  assert.match(script, /^bundle_missing=''$/m);
  assert.match(script, /^glibc_floor='2\.28'$/m);
  assert.doesNotMatch(script, /@[A-Z0-9_]+@/);
});

test('a server without TLS, or without a bundle, says so in the script', () => {
  const script = fillInstallScript(installScriptTemplate(), {
    ...values,
    pin: null,
    leafPin: null,
    bundle: { missing: "there's none" },
  });
  assert.match(script, /^pin=''\nleaf_pin=''\nbundle_sha256=''\nbundle_kib='0'\nbundle_missing='there'\\''s none'$/m);
});

test('values are one word of the shell whatever they are', () => {
  const server = `https://a'; touch /x; '$(id)\`id\`"\\`;
  const script = fillInstallScript('@SERVER@@PIN@@LEAF_PIN@@BUNDLE_SHA256@@BUNDLE_KIB@@BUNDLE_MISSING@@GLIBC_FLOOR@', {
    ...values,
    server,
  });
  assert.ok(script.startsWith(`'https://a'\\''; touch /x; '\\''$(id)\`id\`"\\'`));
});

test('a template with other places than the server fills is a defect', () => {
  const template = installScriptTemplate();
  assert.throws(() => fillInstallScript(template.replace('@PIN@', ''), values), /one place for PIN/);
  assert.throws(() => fillInstallScript(`${template}@PIN@`, values), /one place for PIN/);
  assert.throws(() => fillInstallScript(`${template}@OTHER@`, values), /one place for OTHER/);
});

test('install.sh writes the very unit that agent injection does, and uses its paths', () => {
  const template = installScriptTemplate();
  const unit = readFileSync(join(repo, 'installer/durantic-agent.service'), 'utf8');
  assert.equal(/<<'UNIT'\n(.*?\n)UNIT\n/s.exec(template)?.[1], unit);
  assert.match(template, /^lib=\$prefix\/lib\/durantic$/m);
  assert.match(template, /^link=\$prefix\/bin\/durantic$/m);
});
