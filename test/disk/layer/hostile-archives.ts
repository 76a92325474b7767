import { buildPax, gnuMagic, type RawEntry } from '../../builders/tar-builder.ts';

/** An archive (or stack of them) made to leave the root or to confuse. CANARY in names stands for the canary's path. */
export interface HostileArchive {
  readonly name: string;
  readonly layers: readonly (readonly (RawEntry | Buffer)[])[];
  /** umoci refuses it: what our error must name. Without it the trees are equal. */
  readonly refused?: string;
}

const evil = { data: 'evil' };
const dir = (name: string): RawEntry => ({ name, typeflag: '5', mode: 0o755 });
const symlink = (name: string, linkName: string): RawEntry => ({ name, typeflag: '2', linkName });
const hardlink = (name: string, linkName: string): RawEntry => ({ name, typeflag: '1', linkName });
const loops = Array.from({ length: 300 }, (_, index) => symlink(`chain${index}`, `chain${index + 1}`));

export const hostileArchives: readonly HostileArchive[] = [
  // Names
  { name: 'absolute name', layers: [[{ name: '/etc/absolute', ...evil }]] },
  { name: 'absolute name of the canary', layers: [[{ name: 'CANARY/secret', ...evil }]] },
  { name: 'name that climbs', layers: [[{ name: '../canary/secret', ...evil }]] },
  { name: 'name that climbs far', layers: [[{ name: '../../../../../../../../etc/climbed', ...evil }]] },
  { name: 'name that climbs in the middle', layers: [[dir('a'), { name: 'a/../../canary/secret', ...evil }]] },
  { name: 'name that ends in ..', layers: [[dir('a'), dir('a/b/..')]] },
  { name: 'name that is ..', layers: [[dir('..')]] },
  { name: 'file named ..', layers: [[{ name: '..', ...evil }]], refused: '..' },
  { name: 'file in place of the root', layers: [[{ name: './', typeflag: '0', ...evil }]], refused: './' },
  { name: 'symlink in place of the root', layers: [[symlink('.', 'CANARY')]], refused: '.' },
  { name: 'empty name', layers: [[{ name: '', ...evil }]], refused: 'the entry  is refused' },
  {
    name: 'many slashes',
    layers: [
      [
        { name: '///a////b//', typeflag: '5' },
        { name: './/a/./c', ...evil },
      ],
    ],
  },
  { name: 'climbing PAX path', layers: [[{ pax: [['path', '../canary/secret']], ...evil }]] },
  { name: 'NUL in a PAX path', layers: [[{ pax: [['path', 'a\0b']], ...evil }]], refused: 'layer 1' },
  { name: 'climbing GNU long name', layers: [[{ longName: '../canary/secret', ...evil }]] },
  { name: 'climbing prefix', layers: [[{ name: 'secret', prefix: '../canary', ...evil }]] },
  { name: 'component of 256 bytes', layers: [[{ longName: 'n'.repeat(256), ...evil }]], refused: 'nnnn' },
  { name: 'control characters in a name', layers: [[{ name: 'a\nb\x1b[31m\x7f', ...evil }]] },
  // Symlinks in parents
  { name: 'write through an absolute symlink', layers: [[symlink('l', 'CANARY'), { name: 'l/secret', ...evil }]] },
  { name: 'write through a climbing symlink', layers: [[symlink('l', '../canary'), { name: 'l/secret', ...evil }]] },
  {
    name: 'write through a symlink of a lower layer',
    layers: [
      [dir('real'), symlink('l', '/real')],
      [{ name: 'l/file', ...evil }, dir('l/sub'), { name: 'l/sub/x', ...evil }],
    ],
  },
  {
    name: 'symlink to a symlink that climbs',
    layers: [[symlink('one', 'two'), symlink('two', '../../canary'), { name: 'one/secret', ...evil }]],
  },
  {
    name: 'symlink in the middle of a path',
    layers: [[dir('a'), symlink('a/l', '../../canary/folder'), { name: 'a/l/inner', ...evil }]],
  },
  { name: 'folder through a symlink', layers: [[symlink('l', 'CANARY'), dir('l/folder/new')]] },
  {
    name: 'symlink through what does not exist',
    layers: [[symlink('l', 'missing/../../canary'), { name: 'l/secret', ...evil }]],
  },
  {
    name: 'folder is replaced by a symlink between entries',
    layers: [[dir('d'), { name: 'd/before', ...evil }, symlink('d', '../canary'), { name: 'd/secret', ...evil }]],
  },
  {
    name: 'symlink is replaced by a folder between entries',
    layers: [[dir('real'), symlink('l', 'real'), { name: 'l/one', ...evil }, dir('l'), { name: 'l/two', ...evil }]],
  },
  {
    name: 'the same symlink leads elsewhere in the end',
    layers: [
      [
        dir('a'),
        dir('b'),
        symlink('l', 'a'),
        { name: 'l/x', ...evil },
        symlink('l', 'b'),
        { name: 'l/x', data: 'other' },
      ],
    ],
  },
  { name: 'symlink onto itself in a path', layers: [[symlink('l', 'l'), { name: 'l/x', ...evil }]], refused: 'l/x' },
  { name: 'chain of 300 symlinks in a path', layers: [[...loops, { name: 'chain0/x', ...evil }]], refused: 'chain0/x' },
  { name: 'symlink to / as a parent', layers: [[symlink('l', '/'), { name: 'l/in-the-root', ...evil }]] },
  { name: 'symlink to .. as a parent', layers: [[symlink('l', '..'), { name: 'l/in-the-root', ...evil }]] },
  { name: 'file over a symlink to the canary', layers: [[symlink('l', 'CANARY/secret'), { name: 'l', ...evil }]] },
  { name: 'folder over a symlink to the canary', layers: [[symlink('l', 'CANARY'), { ...dir('l'), mode: 0o700 }]] },
  {
    name: 'fifo over a symlink to the canary',
    layers: [[symlink('l', 'CANARY/secret'), { name: 'l', typeflag: '6' }]],
  },
  {
    name: 'metadata of a symlink to the canary',
    layers: [
      [{ ...symlink('l', 'CANARY/secret'), uid: 7, gid: 7, mode: 0o777, pax: [['SCHILY.xattr.trusted.x', 'y']] }],
    ],
  },
  {
    name: 'file as a parent',
    layers: [
      [
        { name: 'f', ...evil },
        { name: 'f/x', ...evil },
      ],
    ],
    refused: 'f/x',
  },
  {
    name: 'symlink to a file as a parent',
    layers: [[{ name: 'f', ...evil }, symlink('l', 'f'), dir('l/x')]],
    refused: 'l/x',
  },
  // Hard links
  { name: 'hard link to the canary', layers: [[hardlink('h', 'CANARY/secret')]], refused: 'h' },
  { name: 'hard link that climbs', layers: [[hardlink('h', '../canary/secret')]], refused: 'h' },
  {
    name: 'hard link through a symlink',
    layers: [[symlink('l', '../canary'), hardlink('h', 'l/secret')]],
    refused: 'h',
  },
  {
    name: 'hard link through a symlink within the root',
    layers: [[dir('real'), { name: 'real/f', ...evil }, symlink('l', '/real'), hardlink('h', 'l/f')]],
  },
  {
    name: 'hard link to a symlink to the canary, then written',
    layers: [[symlink('l', 'CANARY/secret'), hardlink('h', 'l'), { name: 'h', ...evil }]],
  },
  { name: 'hard link to itself', layers: [[{ name: 'f', ...evil }, hardlink('f', 'f')]], refused: 'f' },
  { name: 'hard link to a folder', layers: [[dir('d'), hardlink('h', 'd')]], refused: 'h' },
  { name: 'hard link to the root', layers: [[hardlink('h', '/')]], refused: 'h' },
  { name: 'hard link to an empty name', layers: [[hardlink('h', '')]], refused: 'h' },
  { name: 'hard link to a later entry', layers: [[hardlink('h', 'f'), { name: 'f', ...evil }]], refused: 'h' },
  {
    name: 'hard link whose target lies in what it replaces',
    layers: [[dir('d'), { name: 'd/f', ...evil }, hardlink('d', 'd/f')]],
    refused: 'd',
  },
  {
    name: 'hard link whose target leads through what it replaces',
    layers: [[dir('real'), { name: 'real/f', ...evil }, symlink('l', 'real'), hardlink('l', 'l/f')]],
    refused: 'l',
  },
  // Whiteouts
  { name: 'whiteout of the canary', layers: [[{ name: '../canary/.wh.secret' }]] },
  { name: 'whiteout through a symlink', layers: [[symlink('l', '../canary'), { name: 'l/.wh.secret' }]] },
  { name: 'opaque folder through a symlink', layers: [[symlink('l', 'CANARY'), { name: 'l/.wh..wh..opq' }]] },
  {
    name: 'whiteout through a symlink within the root',
    layers: [[dir('real'), { name: 'real/f', ...evil }, symlink('l', 'real')], [{ name: 'l/.wh.f' }]],
  },
  {
    name: 'whiteout of a symlink to a folder',
    layers: [[dir('real'), { name: 'real/f', ...evil }, symlink('l', 'real')], [{ name: '.wh.l' }]],
  },
  { name: 'whiteout of ..', layers: [[dir('d')], [{ name: 'd/.wh...' }]], refused: 'd/.wh...' },
  { name: 'whiteout of .', layers: [[dir('d')], [{ name: 'd/.wh..' }]], refused: 'd/.wh..' },
  { name: 'whiteout of nothing named', layers: [[dir('d')], [{ name: 'd/.wh.' }]], refused: 'd/.wh.' },
  { name: 'whiteout of the root', layers: [[dir('d')], [{ name: '.wh.' }]], refused: '.wh.' },
  { name: 'whiteout of what is above the root', layers: [[dir('d')], [{ name: '.wh...' }]], refused: '.wh...' },
  {
    name: 'whiteout of .. in folders of this layer',
    layers: [
      [dir('d'), { name: 'd/old', ...evil }],
      [dir('d'), dir('d/e'), { name: 'd/e/.wh...' }],
    ],
  },
  { name: 'whiteout in what is missing', layers: [[{ name: 'no/such/.wh.x' }]] },
  { name: 'whiteout in a file', layers: [[{ name: 'f', ...evil }, { name: 'f/.wh.x' }]] },
  { name: 'whiteout that is a symlink', layers: [[{ name: 'f', ...evil }], [symlink('.wh.f', 'CANARY')]] },
  { name: 'whiteout with data', layers: [[{ name: 'f', ...evil }], [{ name: '.wh.f', data: 'x'.repeat(3000) }]] },
  // Formats
  { name: 'unknown type flag', layers: [[{ name: 'odd', typeflag: 'Z', ...evil }]], refused: 'odd' },
  {
    name: 'wrong checksum',
    layers: [
      [
        { name: 'before', ...evil },
        { name: 'x', checksum: 1 },
      ],
    ],
    refused: 'before',
  },
  { name: 'letters in a number', layers: [[{ name: 'before' }, { name: 'x', mode: 'rwx' }]], refused: 'before' },
  { name: 'negative size', layers: [[{ name: 'before' }, { name: 'x', size: -1 }]], refused: 'before' },
  { name: 'huge size', layers: [[{ name: 'huge', size: 2n ** 40n }]], refused: 'huge' },
  {
    name: 'PAX record with a wrong length',
    layers: [[paxBytes('99 path=x\n'), { name: 'x', ...evil }]],
    refused: 'layer 1',
  },
  { name: 'PAX record without key', layers: [[paxBytes('7 =abc\n'), { name: 'x', ...evil }]], refused: 'layer 1' },
  {
    name: 'PAX size that is no number',
    layers: [[{ name: 'x', pax: [['size', 'many']], ...evil }]],
    refused: 'layer 1',
  },
  {
    name: 'user xattr on a symlink',
    layers: [[{ ...symlink('l', 'x'), pax: [['SCHILY.xattr.user.a', 'b']] }]],
    refused: 'l',
  },
  { name: 'xattr of no namespace', layers: [[{ name: 'f', pax: [['SCHILY.xattr.nonsense', 'b']], ...evil }]] },
  {
    name: 'link with a size but no data',
    layers: [
      [
        { name: 'f', ...evil },
        { ...hardlink('h', 'f'), size: 4 },
      ],
    ],
  },
  {
    name: 'folder with a size but no data',
    layers: [
      [
        { ...dir('d'), size: 4096 },
        { name: 'd/f', ...evil },
      ],
    ],
  },
  {
    name: 'old GNU header with climbing prefix bytes',
    layers: [[{ name: 'f', magic: gnuMagic, prefix: '../x', ...evil }]],
  },
];

function paxBytes(body: string): Buffer {
  const valid = buildPax([['comment', 'x'.repeat(body.length)]]);
  valid.fill(0, 512, 1024);
  valid.write(body, 512, 'latin1');
  return withSize(valid.subarray(0, 1024), body.length);
}

/** The header's size field and checksum, made to fit. */
function withSize(block: Buffer, size: number): Buffer {
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.fill(0x20, 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
