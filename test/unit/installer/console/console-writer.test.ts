import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errnoOf } from '../../../../core/base/errors.ts';
import { runCommand } from '../../../../core/base/run-command.ts';
import { openConsoleWriter } from '../../../../installer/console/console-writer.ts';
import { Resources, waitFor } from '../../../resources.ts';

/** A FIFO that nobody reads stands for a serial line that is held by flow control: it takes 64 kB, then nothing. */
async function heldLine(resources: Resources): Promise<{ path: string; read: () => string }> {
  const path = join(resources.tempDir(), 'line');
  await runCommand('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  resources.defer('close the reader', () => closeSync(fd));
  const buffer = Buffer.alloc(1 << 20);
  const read = (): string => {
    try {
      return buffer.toString('latin1', 0, readSync(fd, buffer));
    } catch (error) {
      assert.equal(errnoOf(error), 'EAGAIN');
      return '';
    }
  };
  return { path, read };
}

test('F25 a console that takes nothing never holds the installer up, and loses whole texts only', async () => {
  await using resources = new Resources();
  const { path, read } = await heldLine(resources);
  using writer = openConsoleWriter(path);
  const text = `${'x'.repeat(999)}\n`;
  const startedMs = performance.now();
  const taken = Array.from({ length: 200 }, () => writer.write(text)).filter(Boolean).length;
  assert.ok(performance.now() - startedMs < 1000);
  assert.ok(taken >= 64 && taken < 110, `${taken} texts were taken`);
  assert.equal(writer.isBehind, true);
  let received = '';
  await waitFor('the rest', () => {
    received += read();
    return received.length === taken * text.length;
  });
  assert.equal(received, text.repeat(taken));
  assert.equal(writer.isBehind, false);
  assert.equal(writer.write('again'), true);
  assert.equal(read(), 'again');
});

test('a console that gives errors is given up without an error', async () => {
  await using resources = new Resources();
  const path = join(resources.tempDir(), 'line');
  await runCommand('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  using writer = openConsoleWriter(path);
  closeSync(fd);
  writer.write('nobody there');
  assert.equal(writer.write('still nobody'), false);
});

test('a console that is not there cannot be opened', () => {
  assert.throws(() => openConsoleWriter('/nonexistent/ttyS0'), { code: 'ENOENT' });
});
