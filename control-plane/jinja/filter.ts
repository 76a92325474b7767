import type { Arguments } from './arguments.ts';
import type { Value } from './values.ts';

/** What filters such as `map` and `select` need of the renderer. */
export interface FilterHost {
  readonly applyFilter: (name: string, value: Value, args: Arguments) => Value;
  readonly applyTest: (name: string, value: Value, args: Arguments) => boolean;
}

export type Filter = (value: Value, args: Arguments, host: FilterHost) => Value;

export type FilterTable = Readonly<Record<string, Filter>>;
