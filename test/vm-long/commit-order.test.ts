import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { pushDebianImage } from '../vm/debian-image.ts';
import { bootInstalled, proofUserData } from '../vm/installed-guest.ts';
import { proveCommitOrder } from '../vm/prove-commit-order.ts';

test('Debian: a disk is bootable from the write of LBA 0 on and never before, whatever the write it stops at', async (context) => {
  await using resources = new Resources();
  const { guestReference } = await pushDebianImage(resources);
  await proveCommitOrder(context, resources, {
    reference: guestReference,
    userData: proofUserData({ waitsForAgent: false }),
    boot: async (own, disk) => (await bootInstalled(own, disk, { firmware: 'ovmf', timeoutMs: 600_000 })).seconds,
  });
});
