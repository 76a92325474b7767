import { type Account, accountSchema } from '../../protocol/api/account.ts';
import { accountPath, imageNamed, imagesOf } from './images.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines } from './output.ts';
import { shortTime } from './time-ago.ts';

export async function showAccount({ api, output }: Operator): Promise<void> {
  const account = await api.get(accountPath, accountSchema);
  if (output.json) return printJson(output, account);
  printLines(output, await describe(api, account));
}

export interface AccountChanges {
  readonly name: string | undefined;
  /** Name or UUID of an image, `none` for no default. */
  readonly defaultImage: string | undefined;
}

export async function setAccount({ api, output }: Operator, changes: AccountChanges): Promise<void> {
  const { name, defaultImage } = changes;
  const image =
    defaultImage === undefined
      ? {}
      : { default_image_uuid: defaultImage === 'none' ? null : (await imageNamed(api, defaultImage)).uuid };
  const account = await api.patch(accountPath, { ...(name === undefined ? {} : { name }), ...image }, accountSchema);
  if (output.json) return printJson(output, account);
  printLines(output, await describe(api, account));
}

async function describe(api: Operator['api'], account: Account): Promise<string[]> {
  const image = (await imagesOf(api)).find(({ uuid }) => uuid === account.default_image_uuid);
  const from = account.tokens_valid_from;
  return [
    `Name:           ${account.name}`,
    `Default image:  ${image === undefined ? 'none' : `${image.name} (${image.docker_image_url})`}`,
    `Tokens valid:   ${from === null ? 'all' : `those made after ${shortTime(from)} UTC`}`,
  ];
}
