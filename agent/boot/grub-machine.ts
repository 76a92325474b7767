import { ProvisionError } from '../../core/base/errors.ts';
import { grubCommands } from './grub-commands.ts';
import type { GrubDisk } from './grub-disk.ts';
import { parseGrubScript, type Statement } from './grub-syntax.ts';
import type { Word } from './grub-tokens.ts';

/** An entry of GRUB's menu, or a submenu, as a script made it. */
export interface MenuEntry {
  readonly isSubmenu: boolean;
  /** Once there are superusers, GRUB asks for a name and a password before it starts it (GRUB manual, "Security"). */
  readonly isRestricted: boolean;
  readonly title: string;
  readonly id: string;
  readonly body: readonly Statement[];
  /** Positional parameters of the body: `menuentry TITLE … ARG`. */
  readonly parameters: readonly string[];
}

/** What `linux` and `initrd` loaded. Paths are GRUB's: with a device, or relative to `$root`. */
export interface LoadedKernel {
  readonly kernel: string;
  readonly commandLine: string;
  readonly initrds: readonly string[];
}

/** Statements that one script may execute: more is a loop (a script may wait for a key). */
const mostSteps = 20_000;
const deepestCalls = 50;

/**
 * Runs GRUB scripts as GRUB would on this disk, but for what they show: gives the menu they build and the kernel that
 * an entry loads. Commands that only change the screen succeed and do nothing.
 */
export class GrubMachine {
  readonly disk: GrubDisk;
  readonly env: Map<string, string>;
  menu: MenuEntry[] = [];
  loaded: LoadedKernel | null = null;
  /** File systems that `search` looked for and the disk does not have. */
  readonly missing: string[] = [];
  readonly #functions = new Map<string, readonly Statement[]>();
  #parameters: readonly string[] = [];
  #steps = 0;
  #depth = 0;

  constructor(disk: GrubDisk, env: Readonly<Record<string, string>>) {
    this.disk = disk;
    this.env = new Map(Object.entries(env));
  }

  /** Runs a script from its text; `name` is what messages call it. */
  runScript(text: string, name: string): boolean {
    let statements: Statement[];
    try {
      statements = parseGrubScript(text);
    } catch (cause) {
      throw new ProvisionError('boot_path_invalid', `${name} cannot be parsed`, { cause, facts: { file: name } });
    }
    return this.run(statements);
  }

  /** Runs the body of a menu entry and gives what it loaded. */
  runEntry(entry: MenuEntry): LoadedKernel | null {
    this.loaded = null;
    this.menu = [];
    this.env.set('chosen', entry.title);
    this.#call(entry.body, entry.parameters);
    return this.loaded;
  }

  run(statements: readonly Statement[]): boolean {
    let status = true;
    for (const statement of statements) status = this.#step(statement);
    return status;
  }

  expand(words: readonly Word[]): string[] {
    return words.flatMap((word) => this.#expandWord(word));
  }

  #step(statement: Statement): boolean {
    this.#steps += 1;
    if (this.#steps > mostSteps)
      throw new ProvisionError('boot_path_invalid', 'the GRUB script does not come to an end');
    switch (statement.kind) {
      case 'if': {
        const branch = statement.branches.find(({ condition }) => this.run(condition));
        return this.run(branch === undefined ? statement.otherwise : branch.body);
      }
      case 'loop':
        while (this.run(statement.branch.condition) !== statement.until) this.run(statement.branch.body);
        return true;
      case 'for':
        for (const value of this.expand(statement.words)) {
          this.env.set(statement.name, value);
          this.run(statement.body);
        }
        return true;
      case 'function':
        this.#functions.set(statement.name, statement.body);
        return true;
      case 'command':
        return this.#command(this.expand(statement.words), statement.block);
    }
  }

  #command(words: readonly string[], block: readonly Statement[] | null): boolean {
    const [name, ...args] = words;
    if (name === undefined) return block === null ? true : this.run(block);
    if (name === '!') return !this.#command(args, block);
    const assignment = /^(\w+)=(.*)$/s.exec(name);
    if (assignment?.[1] !== undefined && args.length === 0) {
      this.env.set(assignment[1], assignment[2] ?? '');
      return true;
    }
    const body = this.#functions.get(name);
    if (body !== undefined) return this.#call(body, args);
    return grubCommands[name]?.(this, args, block) ?? true;
  }

  #call(body: readonly Statement[], parameters: readonly string[]): boolean {
    const saved = this.#parameters;
    this.#depth += 1;
    if (this.#depth > deepestCalls) throw new ProvisionError('boot_path_invalid', 'the GRUB script calls itself');
    this.#parameters = parameters;
    try {
      return this.run(body);
    } finally {
      this.#parameters = saved;
      this.#depth -= 1;
    }
  }

  #expandWord(word: Word): string[] {
    let words: string[] = [''];
    let isEmptyKept = false;
    for (const part of word) {
      if (part.kind === 'text' || part.isQuoted) {
        const text = part.kind === 'text' ? part.text : this.#value(part.name);
        words[words.length - 1] += text;
        isEmptyKept = true;
        continue;
      }
      const [first = '', ...rest] = this.#value(part.name).split(/\s+/);
      words[words.length - 1] += first;
      words = [...words, ...rest];
    }
    return isEmptyKept ? words : words.filter((text) => text !== '');
  }

  #value(name: string): string {
    if (/^\d+$/.test(name)) return this.#parameters[Number(name) - 1] ?? '';
    if (name === '@' || name === '*') return this.#parameters.join(' ');
    if (name === '#') return String(this.#parameters.length);
    return this.env.get(name) ?? '';
  }
}
