import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { findIsoBlock } from '../../../core/boot-block/find-iso-block.ts';
import { decodeIsoBlock, encodeIsoBlock, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import { runRootTool } from '../../../initramfs/build/root-tool.ts';
import { installerRoot } from '../../../scripts/build/installer/installer-root.ts';
import { makeIso } from '../../../scripts/build/installer/make-iso.ts';
import { menuEntries } from '../../../scripts/build/installer/menu-entries.ts';
import { openSigning, type Signing, signEfiProgram, systemdBoot } from '../../../scripts/build/installer/signing.ts';
import { Resources } from '../../resources.ts';

const { signal } = new AbortController();
const print = (line: string): void => console.log(line);

interface Key {
  readonly keyFile: string;
  readonly certificateFile: string;
}

/** A key and its certificate as docs/installer.md says to make them. */
async function makeKey(resources: Resources, algorithm: readonly string[] = ['rsa:2048']): Promise<Key> {
  const dir = resources.tempDir();
  const [keyFile, certificateFile] = [join(dir, 'db.key'), join(dir, 'db.pem')];
  const request = [
    'req',
    '-new',
    '-x509',
    '-newkey',
    ...algorithm,
    '-nodes',
    '-sha256',
    '-days',
    '2',
    '-subj',
    '/CN=x',
  ];
  await runCommand('openssl', [...request, '-keyout', keyFile, '-out', certificateFile]);
  return { keyFile, certificateFile };
}

async function isSignedBy(file: string, signing: Signing, certificateFile: string): Promise<boolean> {
  const args = ['--cert', certificateFile, file];
  return (await runRootTool(signing.root, 'sbverify', args, { okExitCodes: [0, 1] })).exitCode === 0;
}

/** Everything in the ISO's file system, and in the FAT image that UEFI firmware starts from. */
async function contentsOf(resources: Resources, iso: string): Promise<{ cd: string; efi: string }> {
  const [cd, efi] = [join(resources.tempDir(), 'cd'), join(resources.tempDir(), 'efi')];
  await runCommand('xorriso', ['-osirrox', 'on', '-indev', iso, '-extract', '/', cd]);
  mkdirSync(efi);
  await runCommand('mcopy', ['-s', '-i', join(cd, 'boot/grub/efi.img'), '::/', efi]);
  return { cd, efi };
}

test('F55 kernel and loader of a signed ISO verify with the certificate and no other, also with the settings filled in', async () => {
  await using resources = new Resources();
  const key = await makeKey(resources);
  const signing = await openSigning({ ...key, print, signal });
  const dir = resources.tempDir();
  const [vmlinuz, file] = [join(dir, 'vmlinuz'), join(dir, 'installer.iso')];
  // Any EFI program is a kernel here.
  await signEfiProgram(systemdBoot(signing), vmlinuz, signing, signal);
  const { dir: root } = await installerRoot({ print, signal });
  await makeIso({ root, vmlinuz, file, signing, signal });
  const again = join(dir, 'again.iso');
  await makeIso({ root, vmlinuz, file: again, signing, signal });
  // An RSA-2048 signature, and the digits of the time in it.
  assert.ok(differingBytes(file, again) <= 256 + 12, `${differingBytes(file, again)} bytes are not the same`);
  const settings = { server: 'https://192.0.2.1:7443', pin: `sha256:${'ab'.repeat(32)}`, token: 'a.b.c' };
  {
    await using iso = await open(file, 'r+');
    await iso.write(encodeIsoBlock(settings), 0, undefined, await findIsoBlock(iso));
  }
  const { cd, efi } = await contentsOf(resources, file);
  assert.deepEqual(decodeIsoBlock(readFileSync(join(cd, isoBlockPath))), settings);
  assert.ok(readFileSync(join(efi, 'vmlinuz')).equals(readFileSync(vmlinuz)));
  const other = await makeKey(resources);
  for (const name of ['vmlinuz', 'EFI/BOOT/BOOTX64.EFI']) {
    assert.ok(await isSignedBy(join(efi, name), signing, key.certificateFile), name);
    assert.ok(!(await isSignedBy(join(efi, name), signing, other.certificateFile)), `${name} with another key`);
  }
  assert.ok(!existsSync(join(cd, 'boot/vmlinuz')), 'the kernel is in the ISO twice');
  assert.deepEqual(menuOf(efi), menuEntries, 'the menu is not that of the ISO without signature');
});

function differingBytes(first: string, second: string): number {
  const [one, other] = [readFileSync(first), readFileSync(second)];
  assert.equal(one.length, other.length);
  return one.reduce((count, byte, index) => count + (byte === other[index] ? 0 : 1), 0);
}

/** What systemd-boot shows. */
function menuOf(efi: string): { title: string | undefined; parameters: string }[] {
  const files = readdirSync(join(efi, 'loader/entries')).sort();
  return files.map((file) => {
    const text = readFileSync(join(efi, 'loader/entries', file), 'utf8');
    const fields = Object.fromEntries(text.split('\n').map((line) => line.split(/ (.*)/s, 2)));
    assert.equal(fields['linux'], '/vmlinuz');
    return { title: fields['title'], parameters: fields['options'] ?? '' };
  });
}

test('a key that cannot sign is refused with a sentence that says why, and never a part of it', async () => {
  await using resources = new Resources();
  const good = await makeKey(resources);
  const other = await makeKey(resources);
  const elliptic = await makeKey(resources, ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']);
  const dir = resources.tempDir();
  const [locked, garbage, der] = ['locked', 'garbage', 'der'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await runCommand('openssl', ['pkey', '-in', good.keyFile, '-aes256', '-passout', 'pass:secret', '-out', locked]);
  writeFileSync(garbage, 'MIIEvQIBADANBgkq');
  await runCommand('openssl', ['x509', '-in', good.certificateFile, '-outform', 'der', '-out', der]);
  const cases: readonly [Key, RegExp][] = [
    [{ ...good, keyFile: locked }, /needs a pass phrase/],
    [{ ...good, keyFile: garbage }, /is no private key in PEM form/],
    [{ ...good, certificateFile: garbage }, /is no X\.509 certificate/],
    [{ ...good, keyFile: other.keyFile }, /is not the certificate of/],
    [elliptic, /is not an RSA key of 2048 bits or more/],
  ];
  for (const [key, message] of cases) {
    await assert.rejects(openSigning({ ...key, print, signal }), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /MII|PRIVATE|secret/);
      return true;
    });
  }
  const copy = join(dir, 'program.efi');
  const signing = await openSigning({ keyFile: good.keyFile, certificateFile: der, print, signal });
  copyFileSync(systemdBoot(signing), copy);
  assert.ok(!(await isSignedBy(copy, signing, good.certificateFile)), 'signed before it was');
  await signEfiProgram(copy, copy, signing, signal);
  assert.ok(await isSignedBy(copy, signing, good.certificateFile), 'a certificate in DER signs as well');
});
