import { type Account, type AccountUpdate, accountSchema, accountUpdateSchema } from '../../protocol/api/account.ts';
import type { ServerContext } from '../context.ts';
import { notFound, unprocessable } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { markMachinesOfDefaultImage } from '../machines/needs-provisioning.ts';
import { transaction } from '../store/open-database.ts';
import { text, textOrNull } from '../store/row-values.ts';

/** The account: its name, default image, and the date before which no bootstrap token counts. */
export function accountRoutes(context: ServerContext): Route[] {
  const path = '/api/controlplane/account';
  return [
    defineRoute({
      method: 'GET',
      path,
      operationId: 'controlplane_api_get_account',
      tag: 'Account',
      summary: 'Show the account',
      access: 'api',
      responses: { 200: accountSchema },
      handle: ({ accountUuid }) => readAccount(context, accountUuid),
    }),
    defineRoute({
      method: 'PATCH',
      path,
      operationId: 'controlplane_api_update_account',
      tag: 'Account',
      summary: 'Change the account; tokens_valid_from revokes every bootstrap token that was made before',
      access: 'api',
      body: accountUpdateSchema,
      responses: { 200: accountSchema },
      handle: ({ accountUuid, body }) =>
        transaction(context.db, () => {
          updateAccount(context, accountUuid, body);
          return readAccount(context, accountUuid);
        }),
    }),
  ];
}

function readAccount({ db }: ServerContext, accountUuid: string): Account {
  const row = db.prepare('SELECT * FROM accounts WHERE uuid = ?').get(accountUuid);
  if (row === undefined) throw notFound('the account');
  return {
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    default_image_uuid: textOrNull(row, 'default_image_uuid'),
    tokens_valid_from: textOrNull(row, 'tokens_valid_from'),
    created_at: text(row, 'created_at'),
  };
}

function updateAccount(context: ServerContext, accountUuid: string, update: AccountUpdate): void {
  const { db, clock } = context;
  if (update.name !== undefined) {
    db.prepare('UPDATE accounts SET name = ? WHERE uuid = ?').run(update.name, accountUuid);
  }
  const imageUuid = update.default_image_uuid;
  if (imageUuid !== undefined) {
    const isKnown =
      imageUuid === null ||
      db
        .prepare('SELECT 1 FROM images WHERE uuid = ? AND (account_uuid = ? OR account_uuid IS NULL)')
        .get(imageUuid, accountUuid) !== undefined;
    if (!isKnown) throw unprocessable('default_image_uuid', `there is no image ${imageUuid}`);
    const { changes } = db
      .prepare('UPDATE accounts SET default_image_uuid = ?1 WHERE uuid = ?2 AND default_image_uuid IS NOT ?1')
      .run(imageUuid, accountUuid);
    if (changes > 0) markMachinesOfDefaultImage(context, accountUuid);
  }
  const validFrom = update.tokens_valid_from;
  if (validFrom !== undefined) {
    const validFromMs = validFrom === null ? null : Date.parse(validFrom);
    // Otherwise tokens that are made from now on would be refused without anybody knowing why.
    if (validFromMs !== null && validFromMs > clock.now()) {
      throw unprocessable('tokens_valid_from', 'must not be in the future');
    }
    const stored = validFromMs === null ? null : new Date(validFromMs).toISOString();
    db.prepare('UPDATE accounts SET tokens_valid_from = ? WHERE uuid = ?').run(stored, accountUuid);
  }
}
