import { type KernelOption, parseKernelOptions } from './kernel-options.ts';

/**
 * Compares what was asked for with the configuration that Kconfig made (`.config`). An option that is on only where
 * others are is dropped by Kconfig without a word; this names each one and the files that want it.
 * @returns one line per option that does not hold; empty when all do.
 */
export function checkKernelOptions(wanted: readonly KernelOption[], configText: string): string[] {
  const actual = new Map(parseKernelOptions('.config', configText).map(({ name, value }) => [name, value]));
  const problems = new Map<string, { text: string; files: string[] }>();
  for (const { name, value, file } of wanted) {
    // Absent is how Kconfig writes an option whose dependencies are off.
    const found = actual.get(name) ?? 'n';
    if (found === value) continue;
    const key = `${name}=${value}`;
    const problem = problems.get(key) ?? { text: `${name}: wanted ${say(value)}, is ${say(found)}`, files: [] };
    if (!problem.files.includes(file)) problem.files.push(file);
    problems.set(key, problem);
  }
  return [...problems.values()].map(({ text, files }) => `${text} (${files.join(', ')})`);
}

function say(value: string): string {
  return value === 'n' ? 'not set' : value;
}
