import { TemplateFault } from './template-error.ts';

/** What one rendering may use at most; time and memory beyond are the worker's to watch. */
export const templateLimits = {
  /** Characters of a template. */
  templateLength: 512 * 1024,
  /** Characters of what one role renders to. */
  outputLength: 1024 * 1024,
  /** Characters of any text on the way. */
  textLength: 2 * 1024 * 1024,
  /** Items of `range` (as in Jinja's sandbox) and of any list that is made. */
  listLength: 100_000,
  /** Bits of a whole number. */
  integerBits: 4096,
  /** Macros and recursive loops that call themselves. */
  callDepth: 100,
} as const;

/** @returns The text. @throws TemplateFault when it is too long. */
export function limitText(text: string): string {
  limitTextLength(text.length);
  return text;
}

/** Asked before a text of that length is made. */
export function limitTextLength(length: number): void {
  if (length > templateLimits.textLength) {
    throw new TemplateFault(`a text would be longer than ${templateLimits.textLength} characters`);
  }
}

/** Asked before a list of that length is made. */
export function limitListLength(length: number): void {
  if (length > templateLimits.listLength) {
    throw new TemplateFault(`a list would have more than ${templateLimits.listLength} items`);
  }
}

const largest = 1n << BigInt(templateLimits.integerBits);

/** @returns The number. @throws TemplateFault when it is too large. */
export function limitInteger(value: bigint): bigint {
  if (value > largest || value < -largest) {
    throw new TemplateFault(`a number would have more than ${templateLimits.integerBits} bits`);
  }
  return value;
}
