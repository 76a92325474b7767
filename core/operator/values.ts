import { z } from 'zod';
import { findObject } from './find-object.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';
import { shortTime } from './time-ago.ts';

/** `variable` and `secret` differ in one thing: the value of a secret never comes back. */
export type ValueKind = 'variable' | 'secret';

const paths: Readonly<Record<ValueKind, string>> = {
  variable: '/api/controlplane/variables/',
  secret: '/api/controlplane/secrets/',
};

const valueSchema = z.object({
  uuid: z.uuid(),
  name: z.string(),
  value: z.string().optional(),
  description: z.string(),
  updated_at: z.string(),
});

type Value = z.infer<typeof valueSchema>;

export async function listValues({ api, output }: Operator, kind: ValueKind): Promise<void> {
  const values = await api.get(paths[kind], z.array(valueSchema));
  if (output.json) return printJson(output, values);
  const columns: Column<Value>[] = [
    { title: 'NAME', value: ({ name }) => name, shrinksTo: 12 },
    ...(kind === 'variable' ? [{ title: 'VALUE', value: (row: Value) => row.value ?? '', shrinksTo: 12 }] : []),
    { title: 'CHANGED (UTC)', value: ({ updated_at }) => shortTime(updated_at) },
    { title: 'DESCRIPTION', value: ({ description }) => description, shrinksTo: 11 },
  ];
  printTable(output, { columns, rows: values, empty: `There is no ${kind}.` });
}

export interface NewValue {
  readonly name: string;
  readonly value: string;
  /** Undefined leaves it as it is. */
  readonly description: string | undefined;
}

/** Makes the value, or changes the one of that name. */
export async function setValue({ api, output }: Operator, kind: ValueKind, wanted: NewValue): Promise<void> {
  const old = (await api.get(paths[kind], z.array(valueSchema))).find(({ name }) => name === wanted.name);
  const saved =
    old === undefined
      ? await api.post(paths[kind], wanted, valueSchema)
      : await api.patch(`${paths[kind]}${old.uuid}`, wanted, valueSchema);
  if (output.json) return printJson(output, saved);
  printLines(output, [`The ${kind} ${saved.name} is ${old === undefined ? 'set' : 'changed'}.`]);
}

export async function removeValue({ api, output }: Operator, kind: ValueKind, name: string): Promise<void> {
  const found = findObject(await api.get(paths[kind], z.array(valueSchema)), kind, name);
  await api.delete(`${paths[kind]}${found.uuid}`);
  if (output.json) return printJson(output, { uuid: found.uuid, removed: true });
  printLines(output, [`The ${kind} ${found.name} is removed. Roles that use it will not render.`]);
}
