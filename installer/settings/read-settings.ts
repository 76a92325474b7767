import { readFileSync } from 'node:fs';
import { type KernelParameters, parseKernelParameters } from '../../protocol/kernel-parameters.ts';

export interface KernelSettings {
  readonly parameters: KernelParameters;
  /** Sentences for a screen: what could not be used, and names that nobody knows. No values: they may be secrets. */
  readonly problems: readonly string[];
}

/** What the kernel command line says. A line that cannot be read says nothing, which is told as well. */
export function readKernelSettings(commandLineFile = '/proc/cmdline'): KernelSettings {
  let line = '';
  const unread: string[] = [];
  try {
    line = readFileSync(commandLineFile, 'utf8');
  } catch {
    unread.push('the kernel command line cannot be read');
  }
  const { parameters, unknown, problems } = parseKernelParameters(line);
  const strangers = unknown.map((name) => `${name} is not a parameter that the installer knows`);
  return { parameters, problems: [...unread, ...problems, ...strangers] };
}
