import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { listWithIp, tryIpBatch } from './ip-command.ts';

/** Above the main table's 32766. */
const priority = '7300';

const ruleSchema = z.object({ src: z.string(), table: z.string().optional() });

type Rule = z.infer<typeof ruleSchema>;

/** Which link's routing table lookups go to that have an address as source (ip-rule(8)). */
export class SourceRules {
  readonly #tables = new Map<string, string>();

  /** Removes what an installer before this one left, with its routes. */
  async reset(signal: AbortSignal): Promise<void> {
    const remove = async (family: 4 | 6): Promise<void> => {
      const rules = await listRules(family, signal);
      const tables = new Set(rules.map(({ table }) => table ?? 'main').filter((table) => table !== 'main'));
      const commands = [
        ...rules.map(({ src, table }) => removal(src, table ?? 'main')),
        ...[...tables].map((table) => ['route', 'flush', 'table', table]),
      ];
      await tryIpBatch(family, commands, signal);
    };
    await Promise.all([remove(4), remove(6)]);
  }

  /** Lets lookups with this source address go to this table and to no other. */
  async point(address: string, table: string, signal: AbortSignal): Promise<void> {
    const before = this.#tables.get(address);
    if (before === table) return;
    this.#tables.set(address, table);
    const addition = ['rule', 'add', 'from', address, 'lookup', table, 'priority', priority];
    await tryIpBatch(
      familyOf(address),
      [addition, ...(before === undefined ? [] : [removal(address, before)])],
      signal,
    );
  }

  /** Removes the rules that lead to a table. */
  async release(table: string, signal: AbortSignal): Promise<void> {
    const addresses = [...this.#tables].flatMap(([address, own]) => (own === table ? [address] : []));
    for (const address of addresses) this.#tables.delete(address);
    for (const family of [4, 6] as const) {
      const own = addresses.filter((address) => familyOf(address) === family);
      const commands = own.map((address) => removal(address, table));
      await tryIpBatch(family, commands, signal);
    }
  }
}

/** None for a family that the kernel has no rules for: the other one still leads to the server. */
async function listRules(family: 4 | 6, signal: AbortSignal): Promise<Rule[]> {
  try {
    return await listWithIp([`-${family}`, 'rule', 'show', 'priority', priority], ruleSchema, signal);
  } catch (error) {
    if (!(error instanceof ProvisionError && error.code === 'tool_failed')) throw error;
    return [];
  }
}

function removal(address: string, table: string): string[] {
  return ['rule', 'del', 'from', address, 'lookup', table, 'priority', priority];
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
