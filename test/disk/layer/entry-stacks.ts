import { buildEntry, buildPax, gnuMagic, type RawEntry } from '../../builders/tar-builder.ts';
import { sparseFormats } from '../../builders/tar-sparse.ts';

const dir = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({ name, typeflag: '5', mode: 0o755, ...more });
const file = (name: string, data = 'data'): RawEntry => ({ name, data });
const symlink = (name: string, linkName: string): RawEntry => ({ name, typeflag: '2', linkName });
const hardlink = (name: string, linkName: string): RawEntry => ({ name, typeflag: '1', linkName });
const xattr = (name: string, value: string | Uint8Array): readonly [string, string | Uint8Array] => [
  `SCHILY.xattr.${name}`,
  value,
];
/** cap_net_raw+ep as vfs_cap_data revision 2 (linux/capability.h). */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
/** user::rwx user:1000:rw- group::r-x mask::rwx other::--- as posix_acl_xattr. */
const acl = Buffer.from(
  '0200000001000700ffffffff02000600e803000004000500ffffffff10000700ffffffff20000000ffffffff',
  'hex',
);

/** Each replaces each, in a layer above and in the same layer; `target` is there to be linked to. */
const replaceable: readonly { kind: string; make: (name: string) => RawEntry }[] = [
  { kind: 'file', make: (name) => file(name, `file ${name}`) },
  { kind: 'dir', make: (name) => dir(name, { mode: 0o750 }) },
  { kind: 'symlink', make: (name) => symlink(name, 'target') },
  { kind: 'dirlink', make: (name) => symlink(name, 'folder') },
  { kind: 'fifo', make: (name) => ({ name, typeflag: '6' }) },
  { kind: 'device', make: (name) => ({ name, typeflag: '4', major: 7, minor: 300 }) },
  { kind: 'hardlink', make: (name) => hardlink(name, 'target') },
];
const targets = [file('target'), dir('folder'), file('folder/x')];
const pairs = replaceable.flatMap((from) => replaceable.map((to) => ({ from, to, name: `${from.kind}-${to.kind}` })));
const inside = (kind: string, name: string): RawEntry[] => (kind === 'dir' ? [file(`${name}/inside`)] : []);

/** Stacks whose trees must be umoci's. */
export const entryStacks: Readonly<Record<string, readonly (readonly (RawEntry | Buffer)[])[]>> = {
  'F46 setuid, setgid and sticky bits': [
    [
      { ...file('su'), mode: 0o4755, uid: 0 },
      { ...file('su-of-user'), mode: 0o6711, uid: 1000, gid: 1001 },
      dir('sticky', { mode: 0o1777 }),
      dir('inheriting', { mode: 0o2775, gid: 50 }),
      { ...file('inheriting/child'), mode: 0o640 },
      dir('inheriting/sub'),
      { ...file('no-rights'), mode: 0 },
    ],
  ],
  'F46 file capabilities, trusted and user xattrs, binary values': [
    [
      { ...file('ping'), mode: 0o755, uid: 5, pax: [xattr('security.capability', capability)] },
      { ...file('bytes'), pax: [xattr('user.bytes', Buffer.from([0, 10, 61, 255, 0xc3, 0x28]))] },
      { ...file('many'), pax: Array.from({ length: 20 }, (_, index) => xattr(`user.n${index}`, `v${index}`)) },
      dir('folder', { pax: [xattr('trusted.folder', 'x'), xattr('user.folder', 'y')] }),
      { ...symlink('link', 'x'), pax: [xattr('trusted.link', 'x')] },
      { ...file('empty-value'), pax: [xattr('user.empty', '')] },
      { name: 'fifo', typeflag: '6', pax: [xattr('trusted.fifo', 'x')] },
    ],
  ],
  'F46 ACLs, also a default ACL that children would inherit': [
    [
      { ...file('acl'), mode: 0o670, pax: [xattr('system.posix_acl_access', acl)] },
      dir('default', { pax: [xattr('system.posix_acl_default', acl), xattr('system.posix_acl_access', acl)] }),
      { ...file('default/child'), mode: 0o604 },
      dir('default/sub', { mode: 0o700 }),
      { name: 'default/fifo', typeflag: '6', mode: 0o600 },
      file('default/implicit/child'),
    ],
    [file('default/upper')],
  ],
  'F46 overlay xattrs are left out, those that are there stay': [
    [
      { ...file('f'), pax: [xattr('user.kept', '1')] },
      dir('d', { pax: [xattr('trusted.overlay.opaque', 'y'), xattr('trusted.overlay.redirect', '/x')] }),
      file('d/inside'),
    ],
    [dir('d', { pax: [xattr('trusted.overlay.origin', 'y')] })],
  ],
  'F46 xattrs of a lower layer go when the folder is described anew, stay when it is not': [
    [dir('anew', { pax: [xattr('user.old', '1')] }), dir('stays', { pax: [xattr('user.old', '1')] }), file('stays/a')],
    [dir('anew', { pax: [xattr('user.new', '2')] }), file('stays/b'), { name: 'stays/.wh.a' }],
  ],
  'F47 whiteout of a file, of a folder with content, of nothing': [
    [dir('d'), file('d/gone'), file('d/kept'), dir('d/tree/deep/er'), file('d/tree/deep/er/x'), file('top')],
    [{ name: 'd/.wh.gone' }, { name: 'd/.wh.tree' }, { name: 'd/.wh.never' }, { name: '.wh.top' }],
  ],
  'F47 opaque folder, its entries before and after the marker': [
    [dir('d'), file('d/old'), dir('d/olddir'), file('d/olddir/x'), dir('d/both'), file('d/both/old')],
    [dir('d'), file('d/new'), dir('d/both'), file('d/both/new'), { name: 'd/.wh..wh..opq' }, file('d/later')],
  ],
  'F47 opaque marker first, folder not described': [
    [dir('d', { mode: 0o711, uid: 3 }), file('d/old')],
    [{ name: 'd/.wh..wh..opq' }, file('d/new')],
  ],
  'F47 opaque root': [
    [file('a'), dir('b'), file('b/c')],
    [file('new'), { name: '.wh..wh..opq' }],
  ],
  'F47 whiteout does not touch what its own layer made, in any order': [
    [file('a', 'lower'), dir('d'), file('d/lower'), file('d/shared', 'lower')],
    [file('a', 'upper'), { name: '.wh.a' }, file('d/shared', 'upper'), { name: '.wh.d' }, file('d/after')],
  ],
  'F47 whiteout, then the same name as another kind': [
    [dir('x'), file('x/y'), file('z')],
    [{ name: '.wh.x' }, file('x', 'now a file'), { name: '.wh.z' }, dir('z'), file('z/inside')],
  ],
  'F47 whiteout of a symlink, and of a folder with one, that was just gone through': [
    [dir('a'), symlink('l', 'a'), dir('d'), symlink('d/l', '/a')],
    [file('l/x'), { name: '.wh.l' }, file('l/y'), file('d/l/z'), { name: '.wh.d' }, file('d/l/w')],
  ],
  'F47 AUFS entries': [
    [file('f')],
    [
      { name: '.wh..wh.plnk' },
      { name: '.wh..wh.aufs' },
      { name: '.wh..wh.orph', typeflag: '5' },
      { name: '.wh..wh.plnk/123.456', data: 'linked' },
      { name: 'd/.wh..wh.plnk', typeflag: '5' },
    ],
  ],
  'F47 names that only look like whiteouts': [[file('.whx'), dir('.wh'), file('a.wh.b'), file('.wh/.w')]],
  'F47 whiteout of a hidden-looking name': [
    [file('.hidden'), file('.wh_x')],
    [{ name: '.wh..hidden' }, { name: '.wh..wh_x' }],
  ],
  'F47 device and fifo whiteouts': [
    [
      { name: 'c', typeflag: '3', major: 1, minor: 3 },
      { name: 'p', typeflag: '6' },
    ],
    [{ name: '.wh.c' }, { name: '.wh.p' }],
  ],
  'F48 hardlink to a file of a lower layer': [
    [dir('usr'), file('usr/a', 'shared')],
    [hardlink('b', 'usr/a'), hardlink('usr/c', '/usr/a')],
  ],
  'F48 hardlink to a symlink, and to a dangling one': [
    [file('f'), symlink('l', 'f'), symlink('dangling', 'none'), hardlink('h', 'l'), hardlink('h2', 'dangling')],
  ],
  'F48 hardlink to an entry that is replaced later': [
    [file('f', 'first'), hardlink('h', 'f'), file('f', 'second'), hardlink('h2', 'f')],
  ],
  'F48 lower hardlink group, one name replaced, one removed above': [
    [file('a', 'x'), hardlink('b', 'a'), hardlink('c', 'a'), hardlink('d', 'a')],
    [file('b', 'new'), { name: '.wh.c' }, hardlink('e', 'a')],
  ],
  'F48 hardlink over what is there: file, symlink, its own group, a folder with content': [
    [file('t', 'target'), file('f'), symlink('s', 't'), hardlink('g', 't'), dir('d'), file('d/x')],
    [hardlink('f', 't'), hardlink('s', 't'), hardlink('g', 't'), hardlink('d', 't')],
  ],
  "F48 hardlink over a folder that its target's path goes through": [
    [dir('d'), file('d/old'), dir('e'), file('e/f', 'target'), symlink('s', 'd/../e')],
    [hardlink('d', 's/f'), dir('d', { mode: 0o700 }), file('d/new')],
  ],
  'F48 hardlink to a device and a fifo': [
    [
      { name: 'n', typeflag: '3', major: 1, minor: 5, mode: 0o666 },
      { name: 'p', typeflag: '6' },
      hardlink('n2', 'n'),
      hardlink('p2', 'p'),
    ],
  ],
  'F48 metadata of a hardlink entry is ignored': [
    [
      { ...file('f'), mode: 0o600, uid: 1 },
      { ...hardlink('h', 'f'), mode: 0o777, uid: 9, mtime: 5 },
    ],
  ],
  'every kind is replaced by every other': [
    [...targets, ...pairs.flatMap(({ from, name }) => [from.make(name), ...inside(from.kind, name)])],
    pairs.map(({ to, name }) => to.make(name)),
  ],
  'every kind is replaced by every other within a layer': [
    [
      ...targets,
      ...pairs.flatMap(({ from, to, name }) => [from.make(name), ...inside(from.kind, name), to.make(name)]),
    ],
  ],
  'a folder that is described again keeps its content': [
    [dir('d', { mode: 0o755, uid: 1, mtime: 100 }), file('d/x')],
    [dir('d', { mode: 0o700, uid: 2, mtime: 200 })],
  ],
  'times: parents keep theirs when children come and go': [
    [dir('d', { mtime: 1000 }), dir('d/e', { mtime: 2000 }), file('d/e/a'), file('d/b'), dir('.', { mtime: 77 })],
    [file('d/e/c'), { name: 'd/.wh.b' }, hardlink('d/h', 'd/e/a'), symlink('d/s', 'x'), file('top')],
    [{ name: 'd/e/.wh..wh..opq' }],
  ],
  'times: fractions, before 1970, far ahead, zero': [
    [
      {
        ...file('fraction'),
        pax: [
          ['mtime', '1600000000.123456789'],
          ['atime', '1.5'],
        ],
      },
      { ...file('short'), pax: [['mtime', '1600000000.5']] },
      { ...file('long'), pax: [['mtime', '1600000000.1234567899']] },
      { ...file('dot'), pax: [['mtime', '1600000000.']] },
      { ...file('negative'), pax: [['mtime', '-1.25']] },
      { ...file('negative-whole'), pax: [['mtime', '-86400']] },
      { ...file('base256'), mtime: -5 },
      { ...file('zero'), mtime: 0 },
      { ...file('y2040'), mtime: 2_208_988_800 },
      { ...symlink('link', 'x'), pax: [['mtime', '1500000000.000000001']] },
      dir('folder', { pax: [['mtime', '1400000000.999999999']] }),
      file('folder/child'),
    ],
  ],
  'owners: base-256, PAX, more than 16 bits': [
    [
      { ...file('octal'), uid: 0o7777777, gid: 65534 },
      { ...file('base256'), uid: 2_500_000, gid: 4_000_000_000n },
      {
        ...file('pax'),
        pax: [
          ['uid', '3000000000'],
          ['gid', '70000'],
        ],
      },
      { ...file('minus-one'), uid: -1, gid: 5 },
      { ...symlink('link', 'x'), uid: 1234, gid: 4321 },
    ],
  ],
  'devices: large numbers, both kinds, mode bits in the header': [
    [
      { name: 'c', typeflag: '3', major: 4095, minor: 1_048_575, mode: 0o620 },
      { name: 'b', typeflag: '4', major: 259, minor: 300_000, mode: 0o660, gid: 6 },
      { name: 'p', typeflag: '6', mode: 0o4644 },
      { name: 'zero', typeflag: '3', major: 0, minor: 0 },
    ],
  ],
  'format bits in the mode field are ignored': [[{ ...file('f'), mode: 0o100755 }, dir('d', { mode: 0o40711 })]],
  'names: PAX, GNU long, prefix, GNU over PAX, not UTF-8': [
    [
      { pax: [['path', `pax/${'p'.repeat(200)}/${'q'.repeat(200)}`]], data: 'x' },
      { longName: `gnu/${'g'.repeat(255)}`, data: 'y' },
      { name: 'name', prefix: `prefix/${'r'.repeat(100)}`, data: 'z' },
      { pax: [['path', 'loses']], longName: 'wins', data: 'w' },
      { ...symlink('long-target', ''), pax: [['linkpath', 't'.repeat(1000)]] },
      { ...symlink('gnu-target', ''), longLink: 'u'.repeat(2000) },
      file('latin1-\xe4\xf6\xff'),
      { pax: [['path', Buffer.from([0x6e, 0xff, 0xfe, 0x80])]], data: 'bytes' },
      {
        pax: [
          ['hdrcharset', 'BINARY'],
          ['path', Buffer.from([0x62, 0xc3, 0x28])],
        ],
        data: 'binary',
      },
      { ...symlink('link-\xff', 'target-\xfe'), mode: 0o777 },
      hardlink('hard-\xfd', 'latin1-\xe4\xf6\xff'),
      file('blank name '),
      file('back\\slash'),
    ],
    [{ name: '.wh.latin1-\xe4\xf6\xff' }],
  ],
  'names: two PAX headers, the second counts alone': [
    [
      buildPax([
        ['path', 'first'],
        ['mtime', '5'],
      ]),
      buildPax([['path', 'second']]),
      file('base'),
    ],
  ],
  'sizes: PAX size, base-256 size, empty, block edges': [
    [
      { ...file('pax', 'x'.repeat(700)), size: 0, pax: [['size', '700']] },
      { ...file('base256', 'y'.repeat(512)), size: '\x80\0\0\0\0\0\0\0\0\0\x02\0' },
      file('empty', ''),
      file('exact', 'z'.repeat(512)),
      file('over', 'z'.repeat(513)),
      file('megabyte', 'm'.repeat(1_500_000)),
      file('after'),
    ],
  ],
  'headers: v7, old GNU, star, NUL type flag, trailing slash, signed checksum': [
    [
      { ...file('v7'), magic: '' },
      { name: 'v7dir/', typeflag: '\0', magic: '' },
      { ...file('nul-type'), typeflag: '\0' },
      { name: 'slash/', typeflag: '0', data: 'a file all the same' },
      { ...file('gnu'), magic: gnuMagic },
      { ...file('star'), prefix: 'pre', patches: [{ offset: 508, bytes: Buffer.from('tar\0') }] },
      { name: 'numbers', mode: '   644 ', uid: ' 12\0', data: 'x' },
    ],
  ],
  'sparse files in the PAX formats': Object.entries(sparseFormats)
    .filter(([format]) => format !== 'old GNU')
    .map(([format, build]) => [
      build(`${format} middle`, 1_000_000, [
        { offset: 4096, data: 'a'.repeat(700) },
        { offset: 500_000, data: 'b' },
      ]),
      build(`${format} whole`, 5, [{ offset: 0, data: 'whole' }]),
      build(`${format} tail`, 70_000, [
        { offset: 0, data: 'head' },
        { offset: 70_000, data: '' },
      ]),
      build(`${format} hole`, 40_000, [{ offset: 40_000, data: '' }]),
      buildEntry(file(`${format} after`)),
    ]),
  'symlinks below the top: absolute, to the folder above, to what is missing': [
    [
      dir('a/b/c'),
      symlink('a/b/absolute', '/a/x'),
      symlink('a/b/up', '../y'),
      symlink('a/b/c/far-up', '../../../z'),
      symlink('a/b/c/itself', '.'),
    ],
    [
      file('a/b/absolute/1'),
      file('a/b/up/2'),
      file('a/b/c/far-up/3'),
      file('a/b/c/itself/4'),
      hardlink('h', 'a/b/up/2'),
    ],
  ],
  'parents that no entry describes': [
    [file('a/b/c/d'), symlink('l', 'x/y'), file('l/z/file'), dir('e/f/g', { mode: 0o700 }), hardlink('h/i', 'a/b/c/d')],
    [file('a/b/new/file')],
  ],
  'the root is described': [[dir('./', { mode: 0o711, uid: 3, gid: 4, mtime: 12345, pax: [xattr('user.root', 'r')] })]],
  'the root is described, then used': [[dir('.', { mode: 0o700, mtime: 5 }), file('f'), dir('d')], [file('g')]],
  'an empty layer': [[], [file('f')], []],
};
