import assert from 'node:assert/strict';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { loadNative, native } from '../../../agent/native/load-native.ts';
import { flockOperations, syncFileRangeFlags } from '../../../agent/native/native.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';

const mebibyte = 1024 * 1024;

async function ext4(resources: Resources): Promise<string> {
  const file = resources.sparseFile(32 * mebibyte);
  await runCommand('mkfs.ext4', ['-q', '-F', file]);
  return await resources.mount(await resources.loop(file));
}

function withFd<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

const code = (expected: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === expected && 'syscall' in error && 'errno' in error;

it('xattrs: bytes come back, names that are no UTF-8 work, symlinks are not followed', async () => {
  await using resources = new Resources();
  const dir = await ext4(resources);
  const file = join(dir, 'file');
  writeFileSync(file, '');
  symlinkSync('file', join(dir, 'link'));
  const value = Buffer.from([0, 1, 255, 10]);
  native.lsetxattr(file, 'trusted.a', value, 0);
  native.lsetxattr(file, Buffer.from('trusted.\xff', 'latin1'), Buffer.alloc(0), 0);
  native.lsetxattr(join(dir, 'link'), 'trusted.link', value, 0);
  assert.deepEqual(native.llistxattr(file).sort(), ['trusted.a', 'trusted.\xff']);
  assert.deepEqual(native.lgetxattr(file, 'trusted.a'), value);
  assert.deepEqual(native.llistxattr(join(dir, 'link')), ['trusted.link']);
  native.lremovexattr(file, 'trusted.a');
  assert.throws(() => native.lgetxattr(file, 'trusted.a'), code('ENODATA'));
  assert.throws(() => native.lsetxattr(file, 'trusted.a', value, 2), code('ENODATA'));
  assert.throws(() => native.llistxattr(join(dir, 'none')), code('ENOENT'));
});

it('nodes and times: large device numbers, times before 1970, of the link itself', async () => {
  await using resources = new Resources();
  const dir = await ext4(resources);
  const device = Buffer.from(join(dir, 'device-\xff'), 'latin1');
  native.mknod(device, 0o060640, 259, 70_000);
  const { stdout } = await runCommand('stat', ['-c', '%F %t %T', join(dir, 'device-*')], { okExitCodes: [0, 1] });
  assert.equal(stdout, '');
  assert.ok(lstatSync(device).isBlockDevice());
  symlinkSync('nowhere', join(dir, 'link'));
  native.lutimes(join(dir, 'link'), 1, 2, -5, 999_999_999);
  const { mtimeNs, atimeNs } = lstatSync(join(dir, 'link'), { bigint: true });
  assert.deepEqual([mtimeNs, atimeNs], [-4_000_000_001n, 1_000_000_002n]);
  assert.throws(() => native.mknod(device, 0o010600, 0, 0), code('EEXIST'));
});

it('flock: somebody else holds it', async () => {
  await using resources = new Resources();
  const file = resources.sparseFile(1);
  withFd(file, 'r', (first) =>
    withFd(file, 'r', (second) => {
      native.flock(first, flockOperations.exclusive);
      const attempt = (): void => native.flock(second, flockOperations.exclusive | flockOperations.nonBlocking);
      assert.throws(attempt, code('EAGAIN'));
      native.flock(first, flockOperations.unlock);
      attempt();
    }),
  );
});

it('BLKPG: partitions are added, resized and deleted in bytes', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(64 * mebibyte));
  const name = device.replace('/dev/', '');
  const size = (): string => readFileSync(`/sys/block/${name}/${name}p3/size`, 'utf8').trim();
  const fd = openSync(device, 'r+');
  resources.defer('close', () => closeSync(fd));
  native.blkpgAdd(fd, { number: 3, startBytes: mebibyte, lengthBytes: 8 * mebibyte });
  assert.equal(size(), String((8 * mebibyte) / 512));
  native.blkpgResize(fd, { number: 3, startBytes: mebibyte, lengthBytes: 16 * mebibyte });
  assert.equal(size(), String((16 * mebibyte) / 512));
  const again = { number: 3, startBytes: 40 * mebibyte, lengthBytes: mebibyte };
  assert.throws(() => native.blkpgAdd(fd, again), code('EBUSY'));
  native.blkpgDelete(fd, 3);
  assert.throws(size);
  assert.throws(() => native.blkpgDelete(fd, 3), code('ENXIO'));
});

it('block devices: discard and zero a range, flush, sync', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(4 * mebibyte));
  const fd = openSync(device, 'r+');
  resources.defer('close', () => closeSync(fd));
  writeSync(fd, Buffer.alloc(2 * mebibyte, 0xaa), 0, 2 * mebibyte, 0);
  await native.syncFileRange(fd, 0, 2 * mebibyte, syncFileRangeFlags.write | syncFileRangeFlags.waitAfter);
  await native.blkZeroout(fd, 4096, 8192);
  // A loop device discards only where its file can have holes punched: the kernel says so in sysfs.
  const queue = `/sys/block/${device.replace('/dev/', '')}/queue/discard_max_bytes`;
  const canDiscard = readFileSync(queue, 'utf8').trim() !== '0';
  if (canDiscard) await native.blkDiscard(fd, mebibyte, 65_536);
  else await assert.rejects(native.blkDiscard(fd, mebibyte, 65_536), code('ENOTSUP'));
  await native.blkFlushBuffers(fd);
  const content = readFileSync(device);
  assert.deepEqual([content[4095], content[4096], content[12_287], content[12_288]], [0xaa, 0, 0, 0xaa]);
  assert.deepEqual([content[mebibyte - 1], content[mebibyte + 65_536]], [0xaa, 0xaa]);
  assert.equal(content[mebibyte], canDiscard ? 0 : 0xaa);
  await assert.rejects(native.blkZeroout(fd, 1, 512), code('EINVAL'));
  await assert.rejects(native.syncfs(-1), code('EBADF'));
  assert.throws(() => native.blkRereadTable(fd), code('EINVAL'));
});

it('wrong arguments are errors, never a crash', async () => {
  const functions = Object.entries(loadNative()).filter(([name]) => name !== 'layerOpen');
  assert.ok(functions.length >= 20);
  const wrong: unknown[] = [undefined, null, {}, 1.5, 'x', Number.NaN, 99_999, Buffer.from('a\0b'), []];
  for (const [name, call] of functions) {
    for (const argument of wrong) {
      const attempt = async (): Promise<unknown> => await Reflect.apply(call, null, Array(5).fill(argument));
      await assert.rejects(attempt, Error, `${name}(${String(argument)})`);
    }
    await assert.rejects(async () => await Reflect.apply(call, null, []), TypeError, name);
  }
  assert.throws(() => native.llistxattr(`/${'x'.repeat(5000)}`), code('ENAMETOOLONG'));
});

it('a layer program that is damaged is refused, record by record', async () => {
  await using resources = new Resources();
  const dir = await ext4(resources);
  mkdirSync(join(dir, 'root'));
  const layer = native.layerOpen(Buffer.alloc(0));
  native.layerSetDirectory(layer, 0, openSync(join(dir, 'root'), 'r'));
  const record = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.alloc(96);
    bytes.writeUInt32LE(96, 0);
    bytes[4] = 4;
    bytes.writeUInt16LE(1, 10);
    bytes.write('f', 88, 'latin1');
    change(bytes);
    return bytes;
  };
  const refused = async (change: (bytes: Buffer) => void): Promise<void> => {
    await assert.rejects(native.layerRun(layer, record(change), 0, []), code('EINVAL'));
  };
  await refused((bytes) => bytes.writeUInt32LE(97, 0));
  await refused((bytes) => bytes.writeUInt32LE(0, 0));
  await refused((bytes) => bytes.writeUInt16LE(60_000, 10));
  await refused((bytes) => bytes.writeUInt32LE(0xffffffff, 12));
  await refused((bytes) => bytes.writeUInt32LE(0xffffffff, 16));
  await refused((bytes) => bytes.writeUInt16LE(9000, 6));
  await refused((bytes) => bytes.writeUInt16LE(5, 6));
  await refused((bytes) => bytes.write('/', 88, 'latin1'));
  await refused((bytes) => bytes.write('.', 88, 'latin1'));
  await refused((bytes) => bytes.write('\0', 88, 'latin1'));
  await refused((bytes) => bytes.fill(5, 4, 5));
  await refused((bytes) => bytes.fill(77, 4, 5));
  const running = native.layerRun(
    layer,
    record(() => undefined),
    0,
    [],
  );
  assert.throws(() => native.layerClose(layer), code('EBUSY'));
  assert.deepEqual(await running, { unsupportedXattrs: 0 });
  native.layerClose(layer);
  assert.equal(native.layerDirectory(layer, 0), -1);
});

it('kexecFileLoad reaches the kernel, which refuses descriptors that are none, and takes no other arguments', async () => {
  const noKernel = native.kexecFileLoad(9999, -1, Buffer.from('console=tty0'), 0);
  await assert.rejects(noKernel, (error: unknown) => {
    const { code: errorCode, syscall } = error as { code: string; syscall: string };
    assert.equal(syscall, 'kexec_file_load');
    // A kernel that has kexec looks at the descriptor; others, and locked ones, do not get so far.
    assert.ok(['EBADF', 'ENOSYS', 'EPERM'].includes(errorCode), errorCode);
    return true;
  });
  assert.throws(() => native.kexecFileLoad(0, -1, 'no bytes' as never, 0), TypeError);
});
