import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoDir } from '../paths.ts';
import { driverGroups } from './drivers.ts';
import { replaceTable } from './hardware-tables.ts';

// node scripts/build/kernel/update-hardware-tables.ts: after a change of drivers.ts or firmware-choice.ts.
const file = join(repoDir, 'docs', 'hardware.md');
writeFileSync(file, driverGroups.reduce(replaceTable, readFileSync(file, 'utf8')));
