import { Script } from 'node:vm';

/** What a part of the program that is a script of its own finds under this name (scripts/build/bundle-script.ts). */
export const sharedName = 'durantic$shared';

export type Require = (name: string) => unknown;

type ScriptFunction = (
  module: { exports: object },
  exports: object,
  require: Require,
  shared: Readonly<Record<string, unknown>>,
) => void;

export interface CompiledScript {
  /** Runs the script. @returns What it exports. */
  readonly run: (require: Require, shared: Readonly<Record<string, unknown>>) => object;
  /** What V8 has compiled of the script until now, to be given as `codeCache` later. */
  readonly codeCache: () => Buffer;
  /** A code cache was given, and this V8 took it. */
  readonly isFromCache: boolean;
}

/**
 * A bundled CommonJS script, ready to run. One place for the build, which makes the code cache, and the binary, which uses
 * it: V8 takes a cache only for the same text, wrapper included, and for the same flags.
 * @param source ASCII.
 */
export function compileScript(script: {
  readonly name: string;
  readonly source: Buffer;
  readonly codeCache: Buffer | undefined;
}): CompiledScript {
  // latin1: one byte a character, copied as it is.
  const text = `(function(module,exports,require,${sharedName}){${script.source.toString('latin1')}\n})`;
  const compiled = new Script(text, {
    filename: script.name,
    ...(script.codeCache === undefined ? {} : { cachedData: script.codeCache }),
  });
  return {
    run: (require, shared) => {
      const module = { exports: {} };
      (compiled.runInThisContext() as ScriptFunction)(module, module.exports, require, shared);
      return module.exports;
    },
    codeCache: () => compiled.createCachedData(),
    isFromCache: compiled.cachedDataRejected === false,
  };
}
