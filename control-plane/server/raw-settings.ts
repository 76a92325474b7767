/** The settings of `durantic server run`, as flags (`--listen`) and in the configuration file (`listen`). */
export const settingNames = [
  'data-dir',
  'listen',
  'public-url',
  'http-boot',
  'assets',
  'tls-cert',
  'tls-key',
  'tls-ca',
  'plain-http',
  'registry-ca',
  'registry-at',
  'log-level',
] as const;

export type SettingName = (typeof settingNames)[number];

export interface RawValue {
  readonly text: string;
  /** `--listen`, or `FILE:LINE: listen`: what a message about the value begins with. */
  readonly where: string;
}

/** What may be given more than once. */
export const repeatableSettings: readonly SettingName[] = ['public-url', 'registry-at'];

/** What was given; only `repeatableSettings` may have more than one value. */
export type RawSettings = Map<SettingName, readonly RawValue[]>;

export function isSettingName(name: string): name is SettingName {
  return (settingNames as readonly string[]).includes(name);
}
