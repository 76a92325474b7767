/** One line of a configuration: `CONFIG_X=value`, or `# CONFIG_X is not set` (value `n`). */
export interface KernelOption {
  readonly name: string;
  /** `y`, `n`, a number, or a text with its quotes. */
  readonly value: string;
  /** File that asks for it. */
  readonly file: string;
}

/**
 * The options of a fragment (Kconfig's own form, Documentation/kbuild/kconfig.rst).
 * @throws Error for a line that is neither option, comment nor empty, and for a module.
 */
export function parseKernelOptions(file: string, text: string): KernelOption[] {
  return text.split('\n').flatMap((line, index) => {
    const unset = /^# (CONFIG_\w+) is not set$/.exec(line);
    if (unset?.[1] !== undefined) return [{ name: unset[1], value: 'n', file }];
    const set = /^(CONFIG_\w+)=(y|-?\d+|0x[0-9a-fA-F]+|".*")$/.exec(line);
    if (set?.[1] !== undefined && set[2] !== undefined) return [{ name: set[1], value: set[2], file }];
    // A comment that speaks of an option in other words would silently do nothing.
    if (line !== '' && (!line.startsWith('#') || /^#\s*CONFIG_\w+ is not set\s*$/.test(line))) {
      throw new Error(`${file}:${index + 1} is no option that Kconfig reads: ${line}`);
    }
    return [];
  });
}

/**
 * The fragments as one list.
 * @throws Error when two lines speak of the same option: Kconfig would take the last one silently.
 */
export function joinFragments(fragments: readonly (readonly KernelOption[])[]): KernelOption[] {
  const seen = new Map<string, string>();
  const all = fragments.flat();
  for (const { name, file } of all) {
    const earlier = seen.get(name);
    if (earlier !== undefined) throw new Error(`${name} stands in ${earlier} and again in ${file}`);
    seen.set(name, file);
  }
  return all;
}

/** The options as the text of a configuration file, in the order of their names: comments and order change nothing. */
export function formatKernelOptions(options: readonly KernelOption[]): string {
  const sorted = options.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return sorted.map(({ name, value }) => (value === 'n' ? `# ${name} is not set\n` : `${name}=${value}\n`)).join('');
}
