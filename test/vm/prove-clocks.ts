import assert from 'node:assert/strict';
import type { InstallerGuest } from './installer-guest.ts';

/** For an overlay's hook: proves what both clocks show, in seconds since 1970, once the machine has enrolled. */
export const clocksHook = `
  until grep -q machine_uuid /var/lib/durantic/identity.json 2>/dev/null; do sleep 1; done
  prove clocks "{\\"system\\":$(date +%s),\\"hardware\\":$(cat /sys/class/rtc/rtc0/since_epoch)}"
`;

/** Both clocks of the guest show this host's time, give or take two minutes. */
export async function assertClocks(guest: InstallerGuest, options: { readonly timeoutMs: number }): Promise<void> {
  const { facts } = await guest.waitForProof('clocks', options);
  for (const clock of ['system', 'hardware']) {
    const aheadSeconds = Number(facts[clock]) - Date.now() / 1000;
    assert.ok(Math.abs(aheadSeconds) < 120, `the ${clock} clock is ${aheadSeconds} s ahead`);
  }
}
