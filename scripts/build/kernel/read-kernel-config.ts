import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatKernelOptions, joinFragments, type KernelOption, parseKernelOptions } from './kernel-options.ts';
import { kernelConfigDir } from './read-kernel-pin.ts';

export interface KernelConfig {
  /** Every line of every fragment. */
  readonly fragments: readonly KernelOption[];
  /** Lines of required.config. */
  readonly required: readonly KernelOption[];
  /** The fragments as one file, for KCONFIG_ALLCONFIG. */
  readonly text: string;
}

/** Reads kernel-config/: the fragments in the order of their names, and what the result must hold. */
export function readKernelConfig(folder: string = kernelConfigDir): KernelConfig {
  const read = (name: string): KernelOption[] => parseKernelOptions(name, readFileSync(join(folder, name), 'utf8'));
  const names = readdirSync(join(folder, 'fragments')).filter((name) => name.endsWith('.config'));
  const fragments = joinFragments(names.sort().map((name) => read(join('fragments', name))));
  return { fragments, required: read('required.config'), text: formatKernelOptions(fragments) };
}
