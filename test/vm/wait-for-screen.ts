import type { Vm } from './qemu.ts';
import { screenText } from './screen-text.ts';

/** Waits until the text screen says that; white space counts as one blank, since a row ends after 80 characters. */
export async function waitForScreen(
  vm: Vm,
  pattern: RegExp,
  options: { timeoutMs: number } = { timeoutMs: 60_000 },
): Promise<string> {
  return await vm.waitUntil(
    `${pattern} on the screen`,
    async () => {
      const text = await screenText(vm);
      return pattern.test(text.replace(/\s+/g, ' ')) && text;
    },
    options,
  );
}
