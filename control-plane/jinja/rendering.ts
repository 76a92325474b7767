import type { Arguments } from './arguments.ts';
import type { Filter, FilterHost } from './filter.ts';
import { templateLimits } from './limits.ts';
import { listFilters } from './list-filters.ts';
import { numberFilters } from './number-filters.ts';
import { selectFilters } from './select-filters.ts';
import { TemplateFault } from './template-error.ts';
import { textFilters } from './text-filters.ts';
import { valueTests } from './value-tests.ts';
import type { Value } from './values.ts';

const filters: ReadonlyMap<string, Filter> = new Map(
  [textFilters, numberFilters, listFilters, selectFilters].flatMap((table) => Object.entries(table)),
);

/** One run of a template: the line it is at, how deep its calls are, and its filters and tests. */
export class Rendering implements FilterHost {
  readonly #onLine: (line: number) => void;
  #line = 1;
  #depth = 0;

  /** @param onLine Told each line that is reached, so that a watcher knows where a run that it ends was. */
  constructor(onLine: (line: number) => void) {
    this.#onLine = onLine;
  }

  get line(): number {
    return this.#line;
  }

  reach(line: number): void {
    this.#line = line;
    this.#onLine(line);
  }

  /** Runs a macro or a recursive loop. @throws TemplateFault when it calls itself too often. */
  enter<T>(what: string, work: () => T): T {
    if (this.#depth >= templateLimits.callDepth) {
      throw new TemplateFault(`${what} is called within itself more than ${templateLimits.callDepth} times`);
    }
    this.#depth += 1;
    const result = work();
    this.#depth -= 1;
    return result;
  }

  applyFilter = (name: string, value: Value, args: Arguments): Value => {
    const filter = filters.get(name);
    if (filter === undefined) throw new TemplateFault(`there is no filter named ${name}`);
    return filter(value, args, this);
  };

  applyTest = (name: string, value: Value, args: Arguments): boolean => {
    const test = Object.hasOwn(valueTests, name) ? valueTests[name] : undefined;
    if (test === undefined) throw new TemplateFault(`there is no test named ${name}`);
    return test(value, args);
  };
}
