import { type FileHandle, open } from 'node:fs/promises';
import type { TestContext } from 'node:test';

/** Changes how open files behave, as a file system or a disk would, until the end of the test. */
export async function changeFiles<K extends 'stat' | 'write'>(
  t: TestContext,
  name: K,
  change: (original: FileHandle[K]) => (this: FileHandle, ...args: never[]) => Promise<unknown>,
): Promise<void> {
  await using file = await open(import.meta.filename);
  const prototype = Object.getPrototypeOf(file) as FileHandle;
  t.mock.method(prototype, name, change(prototype[name]) as never);
}

/** Open files show the mode that FAT gives them where it was mounted without umask. */
export async function withoutModes(t: TestContext): Promise<void> {
  await changeFiles(
    t,
    'stat',
    (original) =>
      async function stat() {
        return Object.assign(await original.call(this), { mode: 0o100755 });
      },
  );
}
