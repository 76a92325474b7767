import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { ApiConformance } from '../../builders/api-conformance.ts';

type Row = Record<string, unknown>;

/** A collection of named objects and the request shapes that its facts name. */
export interface CollectionWalk {
  /** Without trailing slash: `/api/controlplane/variables`. */
  readonly path: string;
  /** Only what is required, with the name `first`. */
  readonly minimal: Row;
  /** What the answer to `minimal` must hold beside it: the defaults. */
  readonly defaults: Row;
  /** Every field, with the name `second`; the answer must repeat it but for `hidden`. */
  readonly full: Row;
  /** Fields that never come back. */
  readonly hidden?: readonly string[];
  /** Each is sent as a PATCH of its own; only that field may change. */
  readonly changes: Row;
  /** Fields that null clears. */
  readonly nullable?: readonly string[];
  /** Bodies of POST that are refused with 422: what is wrong → body. */
  readonly refused: Readonly<Record<string, unknown>>;
}

/** Walks one collection through create, read, update, list, delete and every refusal. Leaves nothing behind. */
export async function walkCollection(api: ApiConformance, walk: CollectionWalk): Promise<void> {
  const before = (await api.call('GET', `${walk.path}/`, 200)) as Row[];
  const first = await walkCreate(api, walk);
  const second = (await api.call('POST', walk.path, 201, walk.full)) as Row;
  assertHolds(second, without(walk.full, walk.hidden), `POST ${walk.path} with every field`);
  const list = (await api.call('GET', walk.path, 200)) as Row[];
  assert.deepEqual(
    list.slice(before.length),
    [first, second],
    'the list has the new ones last, as they are by themselves',
  );
  await walkRead(api, walk, first);
  await walkUpdate(api, walk, first, second);
  await walkDelete(api, walk, [first, second]);
  assert.deepEqual(await api.call('GET', `${walk.path}/`, 200), before, 'nothing is left');
}

async function walkCreate(api: ApiConformance, walk: CollectionWalk): Promise<Row> {
  const { path, minimal, defaults, hidden = [] } = walk;
  for (const [what, body] of Object.entries(walk.refused)) {
    const { detail } = (await api.call('POST', `${path}/`, 422, body)) as { detail: { msg: string }[] };
    assert.ok(detail[0] !== undefined && detail[0].msg !== '', `${what}: says why`);
  }
  for (const field of Object.keys(minimal)) await api.call('POST', `${path}/`, 422, without(minimal, [field]));
  const first = (await api.call('POST', `${path}/`, 201, { ...minimal, field_of_a_later_version: 1 })) as Row;
  assertHolds(first, { ...without(minimal, hidden), ...defaults }, `POST ${path} with what is required`);
  assert.match(String(first['created_at']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  for (const field of hidden) assert.ok(!(field in first), `${field} came back`);
  await api.call('POST', `${path}/`, 409, minimal);
  return first;
}

async function walkRead(api: ApiConformance, walk: CollectionWalk, first: Row): Promise<void> {
  const item = `${walk.path}/${String(first['uuid'])}`;
  assert.deepEqual(await api.call('GET', item, 200), first);
  assert.deepEqual(await api.call('GET', `${item}/`, 200), first, 'with a trailing slash');
  await api.call('GET', `${walk.path}/${randomUUID()}`, 404);
  await api.call('GET', `${walk.path}/not-a-uuid`, 404);
}

async function walkUpdate(api: ApiConformance, walk: CollectionWalk, first: Row, second: Row): Promise<void> {
  const { path, changes, hidden = [], nullable = [] } = walk;
  const item = `${path}/${String(first['uuid'])}`;
  let now = first;
  const unchanged = without(now, ['updated_at']);
  assertHolds((await api.call('PATCH', item, 200, {})) as Row, unchanged, 'an empty PATCH changes nothing');
  for (const [field, value] of Object.entries(changes)) {
    const expected = { ...without(now, ['updated_at']), ...(hidden.includes(field) ? {} : { [field]: value }) };
    now = (await api.call('PATCH', item, 200, { [field]: value })) as Row;
    assert.deepEqual(without(now, ['updated_at', ...derived]), without(expected, derived), `PATCH of ${field} alone`);
    assert.deepEqual(await api.call('GET', item, 200), now, `${field} is kept`);
  }
  for (const field of Object.keys(changes)) {
    if (!nullable.includes(field)) {
      await api.call('PATCH', item, 422, { [field]: null });
      continue;
    }
    now = (await api.call('PATCH', item, 200, { [field]: null })) as Row;
    assert.equal(now[field] ?? null, null, `null clears ${field}`);
  }
  await api.call('PATCH', item, 409, { name: second['name'] });
  assert.equal(((await api.call('GET', item, 200)) as Row)['name'], now['name'], 'a refused name changes nothing');
  await api.call('PATCH', `${path}/${randomUUID()}`, 404, {});
}

async function walkDelete(api: ApiConformance, walk: CollectionWalk, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    const item = `${walk.path}/${String(row['uuid'])}`;
    await api.call('DELETE', item, 204);
    await api.call('DELETE', item, 404);
    await api.call('GET', item, 404);
    await api.call('PATCH', item, 404, {});
  }
}

/** Follow from other fields of the same object. */
const derived = ['registry_credential_name', 'required_image_name', 'image', 'available_ip_count'];

function without(row: Row, fields: readonly string[] = []): Row {
  return Object.fromEntries(Object.entries(row).filter(([field]) => !fields.includes(field)));
}

function assertHolds(row: Row, expected: Row, what: string): void {
  const actual = Object.fromEntries(Object.keys(expected).map((field) => [field, row[field]]));
  assert.deepEqual(actual, expected, what);
}
