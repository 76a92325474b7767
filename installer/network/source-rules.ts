import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { listWithIp, tryIpBatch } from './ip-command.ts';

/** Above the main table's 32766. */
const priority = 7300;
/** After the addresses' own. */
const onlyWayPriority = 7301;

const ruleSchema = z.object({ priority: z.int(), src: z.string(), table: z.string().optional() });

type Rule = z.infer<typeof ruleSchema>;
type Family = 4 | 6;
type Commands = readonly (readonly string[])[];

export interface LinkAddresses {
  readonly family: Family;
  /** The link's routing table. */
  readonly table: string;
  /** All that the link has now. */
  readonly addresses: readonly string[];
  /** Commands for the same start of `ip`: the routes that the rules lead to. */
  readonly routes: Commands;
}

/** Which link's routing table lookups go to (ip-rule(8)). */
export class SourceRules {
  readonly #tables = new Map<string, string>();
  /** Changes are made one after the other, so that the kernel has what is noted here. */
  readonly #last = new Map<Family, Promise<void>>();

  /** Removes what an installer before this one left, with its routes. */
  async reset(signal: AbortSignal): Promise<void> {
    const remove = async (family: Family): Promise<void> => {
      const rules = await listRules(family, signal);
      const tables = new Set(rules.map(({ table }) => table ?? 'main').filter((table) => table !== 'main'));
      const commands = [
        ...rules.map((rule) =>
          rule.priority === onlyWayPriority ? onlyWayRemoval : removal(rule.src, rule.table ?? 'main'),
        ),
        ...[...tables].map((table) => ['route', 'flush', 'table', table]),
      ];
      await tryIpBatch(family, commands, signal);
    };
    await Promise.all([remove(4), remove(6)]);
  }

  /**
   * Lets lookups with a link's addresses as source go to its table, so that whoever reaches it by one of them gets the answer
   * by the same link. An address that another link has too stays with that one, until it is `point`ed elsewhere.
   */
  async claim({ family, table, addresses, routes }: LinkAddresses, signal: AbortSignal): Promise<void> {
    await this.#inTurn(family, async () => {
      const added = addresses.filter((address) => !this.#tables.has(address));
      const gone = this.#addressesOf(family, table).filter((address) => !addresses.includes(address));
      const rules = [
        ...added.map((address) => addition(address, table)),
        ...gone.map((address) => removal(address, table)),
      ];
      await tryIpBatch(family, [...routes, ...rules], signal);
      for (const address of added) this.#tables.set(address, table);
      for (const address of gone) this.#tables.delete(address);
    });
  }

  /** Lets lookups with this source address go to this table and to no other. */
  async point(address: string, table: string, signal: AbortSignal): Promise<void> {
    const family = address.includes(':') ? 6 : 4;
    await this.#inTurn(family, async () => {
      const before = this.#tables.get(address);
      if (before === table) return;
      const replaced = before === undefined ? [] : [removal(address, before)];
      await tryIpBatch(family, [addition(address, table), ...replaced], signal);
      this.#tables.set(address, table);
    });
  }

  /** Removes the rules that lead to a table. @param then Commands for the same start of `ip`. */
  async release(family: Family, table: string, then: Commands, signal: AbortSignal): Promise<void> {
    await this.#inTurn(family, async () => {
      const addresses = this.#addressesOf(family, table);
      await tryIpBatch(family, [...addresses.map((address) => removal(address, table)), ...then], signal);
      for (const address of addresses) this.#tables.delete(address);
    });
  }

  /**
   * Makes a link's table the way of everything that has no rule of its own, whatever other links have in the main table;
   * null: that is the main table again.
   */
  async setOnlyWay(table: string | null, signal: AbortSignal): Promise<void> {
    const set = async (family: Family): Promise<void> => {
      // Neighbours on any link: their routes are in no link's table.
      const whither = family === 6 ? ['not', 'to', 'fe80::/10'] : [];
      const rule = ['rule', 'add', ...whither, 'lookup', table ?? 'main', 'priority', String(onlyWayPriority)];
      // A table without routes of the family is no end.
      const commands = table === null ? [onlyWayRemoval] : [onlyWayRemoval, barrier(table), rule];
      await this.#inTurn(family, async () => await tryIpBatch(family, commands, signal));
    };
    await Promise.all([set(4), set(6)]);
  }

  #addressesOf(family: Family, table: string): string[] {
    return [...this.#tables].flatMap(([address, own]) =>
      own === table && address.includes(':') === (family === 6) ? [address] : [],
    );
  }

  async #inTurn(family: Family, action: () => Promise<void>): Promise<void> {
    const turn = (this.#last.get(family) ?? Promise.resolve()).then(action);
    this.#last.set(
      family,
      turn.catch(() => undefined),
    );
    await turn;
  }
}

/** Lets lookups end in a table. EACCES tells it from a network that says "unreachable" (ip-route(8), prohibit). */
export function barrier(table: string): string[] {
  return ['route', 'replace', 'prohibit', 'default', 'metric', '4294967295', 'table', table];
}

/** None for a family that the kernel has no rules for: the other one still leads to the server. */
async function listRules(family: Family, signal: AbortSignal): Promise<Rule[]> {
  try {
    const rules = await listWithIp([`-${family}`, 'rule', 'show'], ruleSchema, signal);
    return rules.filter((rule) => [priority, onlyWayPriority].includes(rule.priority));
  } catch (error) {
    if (!(error instanceof ProvisionError && error.code === 'tool_failed')) throw error;
    return [];
  }
}

const onlyWayRemoval = ['rule', 'del', 'priority', String(onlyWayPriority)];

function addition(address: string, table: string): string[] {
  return ['rule', 'add', 'from', address, 'lookup', table, 'priority', String(priority)];
}

function removal(address: string, table: string): string[] {
  return ['rule', 'del', 'from', address, 'lookup', table, 'priority', String(priority)];
}
