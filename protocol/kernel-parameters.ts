import type { Parsed } from './ip-parameter.ts';
import { canonicalName, formatParameter, longestCommandLine, splitCommandLine } from './kernel-command-line.ts';
import {
  type KernelParameters,
  kernelParametersSchema,
  noKernelParameters,
  parameterDefinitions,
} from './kernel-parameter-definitions.ts';

export { type KernelParameters, kernelParametersSchema, noKernelParameters };

export interface ParsedKernelParameters {
  readonly parameters: KernelParameters;
  /** Names of `durantic.*` parameters that nobody knows, to be shown: a value may be a secret in the wrong place. */
  readonly unknown: readonly string[];
  /** One sentence for each parameter that could not be used. */
  readonly problems: readonly string[];
}

/**
 * Reads the contents of /proc/cmdline. What is wrong is reported and left out; the rest counts. Of a parameter that is
 * given twice, the last counts, as for the kernel.
 */
export function parseKernelParameters(line: string): ParsedKernelParameters {
  const split = splitCommandLine(line);
  const problems: string[] = split.hasOpenQuote ? ['a quote on the kernel command line is not closed'] : [];
  const unknown: string[] = [];
  const seen = new Map<string, string | null>();
  let parameters = noKernelParameters;
  for (const { name, value } of split.parameters) {
    const known = canonicalName(name);
    const definition = parameterDefinitions.get(known);
    if (definition === undefined) {
      if (known.startsWith('durantic.')) unknown.push(name);
      continue;
    }
    const parsed = definition.parse(value, parameters);
    if ('problem' in parsed) {
      problems.push(`${name}: ${parsed.problem}`);
      continue;
    }
    if (definition.isList !== true && seen.has(known) && seen.get(known) !== value) {
      problems.push(`${name} is given more than once: the last counts`);
    }
    seen.set(known, value);
    parameters = { ...parameters, ...parsed.value };
  }
  return { parameters, unknown, problems };
}

/**
 * The words that `parseKernelParameters` reads the same parameters from, or a sentence saying what a command line cannot
 * express (a quote, a line break, a letter outside ASCII) or hold (2047 bytes).
 */
export function formatKernelParameters(parameters: KernelParameters): Parsed<readonly string[]> {
  const valid = kernelParametersSchema.safeParse(parameters);
  if (!valid.success) {
    const issue = valid.error.issues[0];
    return { problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not valid'}` };
  }
  const words: string[] = [];
  for (const [name, { format }] of parameterDefinitions) {
    for (const value of format(valid.data)) {
      const word = formatParameter({ name, value });
      if (word === null) return { problem: `${name} has a character that a kernel command line cannot hold` };
      words.push(word);
    }
  }
  if (words.join(' ').length > longestCommandLine) {
    return { problem: `the parameters are longer than the ${longestCommandLine} bytes of a kernel command line` };
  }
  return { value: words };
}

/**
 * The command line for logs and screens (failure row F27): the token, passwords in URLs and whatever unknown
 * `durantic.*` parameters carry are hidden.
 */
export function redactKernelParameters(line: string): string {
  return splitCommandLine(line)
    .parameters.map((parameter) => {
      const { name, value } = parameter;
      if (value === null) return name;
      return `${name}=${isSecret(canonicalName(name)) ? '(hidden)' : withoutPassword(value)}`;
    })
    .join(' ');
}

function isSecret(name: string): boolean {
  return name === 'durantic.token' || (name.toLowerCase().startsWith('durantic.') && !parameterDefinitions.has(name));
}

function withoutPassword(value: string): string {
  return value.replace(/\/\/.*@/s, '//(hidden)@');
}
