import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { parseReference } from '../../../../core/oci/reference.ts';

const digest = `sha256:${'a1'.repeat(32)}`;

function registry(text: string): string {
  const reference = parseReference(text);
  assert.equal(reference.kind, 'registry');
  if (reference.kind !== 'registry') return '';
  return [reference.registry, reference.host, reference.name, reference.tag, reference.digest].join(' | ');
}

const hub = 'docker.io | registry-1.docker.io';
const accepted: readonly (readonly [string, string])[] = [
  ['debian', `${hub} | library/debian | latest | `],
  ['debian:12', `${hub} | library/debian | 12 | `],
  ['docker.io/debian', `${hub} | library/debian | latest | `],
  ['index.docker.io/debian', `${hub} | library/debian | latest | `],
  ['someone/debian', `${hub} | someone/debian | latest | `],
  [`debian@${digest}`, `${hub} | library/debian |  | ${digest}`],
  ['localhost/os', 'localhost | localhost | os | latest | '],
  ['127.0.0.1:5000/os/debian:12', '127.0.0.1:5000 | 127.0.0.1:5000 | os/debian | 12 | '],
  ['[::1]:5000/os', '[::1]:5000 | [::1]:5000 | os | latest | '],
  ['registry.example/a/b/c:v1.0_x-y', 'registry.example | registry.example | a/b/c | v1.0_x-y | '],
  ['Registry/os', 'Registry | Registry | os | latest | '],
  [`registry.example:5000/os:12@${digest}`, `registry.example:5000 | registry.example:5000 | os | 12 | ${digest}`],
  ['registry.example/a__b/c---d/e.f', 'registry.example | registry.example | a__b/c---d/e.f | latest | '],
];

test('references are read with docker’s defaults', () => {
  for (const [text, expected] of accepted) assert.equal(registry(text), expected, text);
});

test('the canonical form is complete and is read as the same reference', () => {
  for (const [text] of accepted) {
    const { canonical } = parseReference(text);
    assert.equal(registry(canonical), registry(text), text);
  }
});

test('an OCI layout is a folder and perhaps a tag', () => {
  const layout = (text: string) => {
    const { kind, ...rest } = parseReference(text);
    assert.equal(kind, 'layout');
    return rest;
  };
  assert.deepEqual(layout('oci:/srv/image'), { dir: '/srv/image', tag: null, canonical: 'oci:/srv/image' });
  assert.deepEqual(layout('oci:image:12'), { dir: 'image', tag: '12', canonical: 'oci:image:12' });
  assert.deepEqual(layout('oci:image:a/b:12'), { dir: 'image', tag: 'a/b:12', canonical: 'oci:image:a/b:12' });
});

const refused: readonly (readonly [string, RegExp])[] = [
  ['', /empty/],
  ['https://registry.example/os', /scheme/],
  ['docker://registry.example/os', /scheme/],
  ['Debian', /lower case/],
  ['registry.example/OS', /lower case/],
  ['registry.example/', /empty/],
  ['registry.example//os', /empty/],
  ['registry.example/os:', /not a tag/],
  ['registry.example/os:-x', /not a tag/],
  [`registry.example/os:${'t'.repeat(129)}`, /not a tag/],
  ['registry.example/os@sha256:abc', /digest/],
  [`registry.example/os@md5:${'a'.repeat(32)}`, /digest/],
  ['registry.example:70000/os', /host/],
  ['registry.example:0/os', /host/],
  ['registry_.example/os', /host/],
  ['user@registry.example/os', /digest/],
  ['registry.example/../os', /part of a name/],
  ['registry.example/a b', /part of a name/],
  ['registry.example/a?x=y', /part of a name/],
  [`registry.example/${'a'.repeat(256)}`, /longer/],
  ['oci:', /folder/],
  ['oci:image:', /tag is empty/],
];

test('what is no reference is refused with the reason', () => {
  for (const [text, why] of refused) {
    assert.throws(
      () => parseReference(text),
      (error) => error instanceof ProvisionError && error.code === 'reference_invalid' && why.test(error.message),
      text,
    );
  }
});

test('F27 a password in a pasted URL is not repeated in the message', () => {
  assert.throws(
    () => parseReference('https://me:secret@registry.example/os'),
    (error) => error instanceof Error && !error.message.includes('secret'),
  );
});

test('any text is either a reference or refused, and never changes the host by its path', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const reference = parseReference(`registry.example/${text}`);
        assert.ok(reference.kind === 'registry' && reference.host === 'registry.example');
        assert.equal(new URL(`https://${reference.host}/v2/${reference.name}/`).pathname, `/v2/${reference.name}/`);
      } catch (error) {
        assert.ok(error instanceof ProvisionError && error.code === 'reference_invalid', String(error));
      }
    }),
  );
});
