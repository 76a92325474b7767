import { join } from 'node:path';
import type { BadInputs } from './bad-input-fixture.ts';

export interface BadInput {
  readonly name: string;
  readonly args: (at: BadInputs) => readonly string[];
  readonly exitCode: number;
  readonly code: string;
  readonly says: RegExp;
  /** Must be over by then; default 20 s. */
  readonly withinSeconds?: number;
  /** The program is started from a copy that lacks its bundle. */
  readonly withoutBundle?: true;
}

type Choose = (at: BadInputs) => string;

const goodImage: Choose = (at) => at.image;
const disk: Choose = (at) => at.disk;

/** Arguments that would erase the disk if all else were right. */
function onto(wanted: Choose, image: Choose = goodImage, ...flags: string[]): BadInput['args'] {
  return (at) => ['--image', image(at), '--disk', wanted(at), '--yes', '--no-inject-agent', ...flags];
}

function image(name: string): Choose {
  return ({ images }) => images[name] ?? `no image ${name}`;
}

const refused = { exitCode: 2, code: 'image_not_provisionable' };

function usageCases(those: readonly Pick<BadInput, 'name' | 'args' | 'says'>[]): BadInput[] {
  return those.map((one) => ({ ...one, exitCode: 2, code: 'usage' }));
}

/** What operators get wrong, and what they are told. */
export const badInputs: readonly BadInput[] = [
  // Takes a minute, beside which the others run.
  {
    name: 'a registry that takes connections and says nothing',
    args: onto(disk, (at) => `127.0.0.1:${at.silentPort}/os/small:1`, '--plain-http'),
    ...{ exitCode: 4, code: 'registry_unreachable', says: /did not answer in time/, withinSeconds: 90 },
  },
  ...usageCases([
    { name: 'a wrong flag', args: (at) => [...onto(disk)(at), '--force'], says: /unknown option '--force'/ },
    { name: 'no --disk', args: (at) => ['--image', at.image, '--yes'], says: /required option '--disk <dev>'/ },
    { name: 'no --image', args: (at) => ['--disk', at.disk, '--yes'], says: /required option '--image <ref>'/ },
    { name: 'a stray argument', args: (at) => [...onto(disk)(at), '/dev/sda'], says: /too many arguments/ },
    { name: 'a wrong choice', args: onto(disk, undefined, '--boot', 'later'), says: /'later'.*none, kexec, reboot/ },
    { name: 'no platform', args: onto(disk, undefined, '--platform', 'amd64'), says: /amd64 is no platform/ },
    { name: 'a missing user-data file', args: onto(disk, undefined, '--user-data', '/no/file'), says: /\/no\/file/ },
    {
      name: 'a missing CA file',
      args: onto(disk, (at) => `${at.registry}/os/small:1`, '--registry-ca', '/no/ca'),
      says: /\/no\/ca/,
    },
    {
      name: 'rebooting into a file',
      args: onto(disk, undefined, '--boot', 'reboot'),
      says: /is a file.*cannot reboot/,
    },
  ]),
  {
    name: 'neither --yes nor a terminal',
    args: (at) => ['--image', at.image, '--disk', at.disk],
    ...{ exitCode: 2, code: 'confirmation_required', says: /would be erased; say --yes/ },
  },
  {
    name: 'a disk that does not exist',
    args: onto((at) => join(at.files, 'nothing.raw')),
    ...{ exitCode: 2, code: 'target_not_found', says: /nothing\.raw does not exist/ },
  },
  {
    name: 'a serial number that no disk has',
    args: onto(() => 'serial:NOSUCHDISK'),
    ...{ exitCode: 2, code: 'target_not_found', says: /NOSUCHDISK/ },
  },
  {
    name: 'a folder in place of a disk',
    args: onto((at) => at.files),
    ...{ exitCode: 2, code: 'target_not_found', says: /neither a block device nor a plain file/ },
  },
  {
    name: 'an empty file in place of a disk',
    args: onto((at) => join(at.files, 'empty.raw')),
    ...{ exitCode: 3, code: 'disk_not_eligible', says: /empty\.raw has size 0/ },
  },
  {
    name: 'a partition in place of a disk',
    args: onto((at) => `${at.loop}p1`),
    ...{ exitCode: 3, code: 'disk_not_eligible', says: /is a partition; give the whole disk/ },
  },
  {
    name: 'a read-only disk',
    args: onto((at) => at.readOnlyLoop),
    ...{ exitCode: 3, code: 'disk_not_eligible', says: /is read-only/ },
  },
  {
    name: 'F33 a disk of which a partition is mounted',
    args: onto((at) => at.loop),
    ...{ exitCode: 3, code: 'disk_busy', says: /loop\d+p1 is mounted at / },
  },
  {
    name: 'F33 a disk of which one partition is mounted and another is swap, which stays on',
    args: onto((at) => at.swapLoop),
    ...{ exitCode: 3, code: 'disk_busy', says: /loop\d+p1 is mounted.*loop\d+p2 could be stopped/ },
  },
  {
    name: 'a file that is attached to a loop device in use',
    args: onto((at) => at.otherDisk),
    ...{ exitCode: 3, code: 'disk_busy', says: /other\.raw is in use.*loop\d+/ },
  },
  { name: 'an image without layers', args: onto(disk, image('no layers')), ...refused, says: /no layers.*no raw disk/ },
  {
    name: 'an image whose layer 0 is a root filesystem',
    args: onto(disk, image('no layer 0')),
    ...{ ...refused, says: /layer 0 .*must hold the raw disk and nothing else.*buildah build --layers/ },
  },
  {
    name: 'a layer 0 that is neither disk nor tar',
    args: onto(disk, image('no GPT')),
    ...{ ...refused, says: /neither a raw disk nor a tar/ },
  },
  {
    name: 'everything squashed into one layer',
    args: onto(disk, image('squashed')),
    ...{ ...refused, says: /disk\.raw and etc\/hostname.*buildah build --layers/ },
  },
  {
    name: 'a tar layer 0 with another file',
    args: onto(disk, image('tar of another file')),
    ...{ ...refused, says: /first file is not a raw disk/ },
  },
  {
    name: 'a layer 0 with a damaged table',
    args: onto(disk, image('damaged table')),
    ...{ exitCode: 5, code: 'gpt_invalid', says: /GPT|partition table/ },
  },
  {
    name: 'a layer in a codec of later versions',
    args: onto(disk, image('xz')),
    ...{ exitCode: 2, code: 'codec_unsupported', says: /layer 1 .*xz/ },
  },
  {
    name: 'F37 a disk that is smaller than layer 0',
    args: onto((at) => at.smallDisk),
    ...{ exitCode: 2, code: 'disk_too_small', says: /has 67108864 bytes and the image's raw disk has 548405248/ },
  },
  {
    name: 'a disk on which the unpacked system has no room',
    args: onto(disk, image('large system')),
    ...{ exitCode: 2, code: 'disk_too_small', says: /needs 5368709120/ },
  },
  {
    name: 'a tag that the layout does not have',
    args: onto(disk, (at) => at.image.replace(/latest$/, 'newest')),
    ...{ exitCode: 2, code: 'image_not_found', says: /newest does not exist; the layout has latest/ },
  },
  {
    name: 'a layout that does not exist',
    args: onto(disk, () => 'oci:/no/such/layout'),
    ...{ exitCode: 2, code: 'image_not_found', says: /\/no\/such\/layout/ },
  },
  {
    name: 'a tag that the registry does not have',
    args: onto(disk, (at) => `${at.registry}/os/small:2`, '--plain-http'),
    ...{ exitCode: 2, code: 'image_not_found', says: /os\/small:2: HTTP 404/ },
  },
  {
    name: 'a repository that the registry does not have',
    args: onto(disk, (at) => `${at.registry}/os/smal:1`, '--plain-http'),
    ...{ exitCode: 2, code: 'image_not_found', says: /os\/smal:1: HTTP 404/ },
  },
  {
    name: 'no reference',
    args: onto(disk, () => 'Registry/UPPER CASE'),
    ...{ exitCode: 2, code: 'reference_invalid', says: /UPPER CASE.*not an image reference|cannot be part/ },
  },
  {
    name: 'another platform',
    args: onto(disk, undefined, '--platform', 'linux/arm64'),
    ...{ exitCode: 2, code: 'platform_not_found', says: /nothing for linux\/arm64; it is an image for linux\/amd64/ },
  },
  {
    name: 'a registry that is not there',
    args: onto(disk, (at) => `127.0.0.1:${at.closedPort}/os/small:1`, '--plain-http'),
    ...{ exitCode: 4, code: 'registry_unreachable', says: /cannot be reached: connect ECONNREFUSED/ },
  },
  {
    name: 'a registry whose name does not exist',
    args: onto(disk, () => 'registry.invalid/os/small:1'),
    ...{ exitCode: 4, code: 'registry_unreachable', says: /registry\.invalid cannot be reached/ },
  },
  {
    name: 'a plain registry without --plain-http',
    args: onto(disk, (at) => `${at.registry}/os/small:1`),
    ...{ exitCode: 4, code: 'registry_unreachable', says: /does not speak TLS.*--plain-http/ },
  },
  {
    name: 'user-data that is no YAML',
    args: (at) => [...onto(disk)(at), '--user-data', join(at.files, 'user-data')],
    ...{ exitCode: 2, code: 'document_invalid', says: /user-data, line \d/ },
  },
  {
    name: 'an agent.yaml that is no YAML',
    args: (at) => [...onto(disk)(at), '--agent-config', join(at.files, 'agent.yaml')],
    ...{ exitCode: 2, code: 'document_invalid', says: /agent\.yaml/ },
  },
  {
    name: 'a bundle that is not there',
    args: (at) => ['--image', at.image, '--disk', at.disk, '--yes', '--agent-bundle', '/no/bundle'],
    ...{ exitCode: 3, code: 'bundle_missing', says: /\/no\/bundle.*build-binary.*--no-inject-agent/ },
  },
  {
    name: 'a program that was copied without its bundle',
    args: (at) => ['--image', at.image, '--disk', at.disk, '--yes'],
    withoutBundle: true,
    ...{ exitCode: 3, code: 'bundle_missing', says: /does not run from a bundle/ },
  },
];
