import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { proveCommitOrder } from './prove-commit-order.ts';
import { bootSmallSystem, pushSmallSystem } from './small-system.ts';

// With the Debian image of the recipe: test/vm-long/commit-order.test.ts.
test('a disk is bootable from the write of LBA 0 on and never before, whatever the write it stops at', async (context) => {
  await using resources = new Resources();
  await proveCommitOrder(context, resources, {
    reference: await pushSmallSystem(resources),
    userData: '#cloud-config\n',
    boot: bootSmallSystem,
  });
});
