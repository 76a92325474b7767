import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IpParameter } from '../../../protocol/ip-parameter.ts';
import {
  formatKernelParameters,
  type KernelParameters,
  noKernelParameters,
  parseKernelParameters,
  redactKernelParameters,
} from '../../../protocol/kernel-parameters.ts';

const pin = `sha256:${'ab'.repeat(32)}`;
const token = 'eyJhbGciOiJkaXIifQ..iv_-.cipher.tag';

function format(parameters: Partial<KernelParameters>): string {
  const result = formatKernelParameters({ ...noKernelParameters, ...parameters });
  assert.ok('value' in result, JSON.stringify(result));
  return result.value.join(' ');
}

function problemOf(parameters: Partial<KernelParameters>): string {
  const result = formatKernelParameters({ ...noKernelParameters, ...parameters });
  assert.ok('problem' in result, JSON.stringify(result));
  return result.problem;
}

test('every parameter is read', () => {
  const line = [
    'BOOT_IMAGE=/vmlinuz quiet console=ttyS0,115200 durantic.server=https://10.0.0.5:8443/',
    `durantic.token=${token} durantic.pin=sha256:${'AB'.repeat(32)} durantic.console=serial`,
    'durantic.interface=AA-BB-CC-00-11-22 durantic.vlan=42 ip=dhcp nameserver=[2001:db8::53] nameserver=9.9.9.9',
    'durantic.authorized_key="ssh-ed25519 AAAAC3Nz+/aa== me@host" durantic.proxy=http://proxy:3128',
    'durantic.shell durantic.link-timeout=120 durantic.debug BOOTIF=01-52-54-00-AB-cd-ef',
  ].join(' ');
  assert.deepEqual(parseKernelParameters(`${line}\n`), {
    parameters: {
      server: 'https://10.0.0.5:8443',
      token,
      pin,
      console: 'serial',
      interface: 'aa:bb:cc:00:11:22',
      vlan: 42,
      addresses: [{ method: 'dhcp', interface: null, hostname: null, mtu: null, macAddress: null, nameservers: [] }],
      nameservers: ['2001:db8::53', '9.9.9.9'],
      authorizedKeys: ['ssh-ed25519 AAAAC3Nz+/aa== me@host'],
      proxy: 'http://proxy:3128',
      shell: true,
      linkTimeoutSeconds: 120,
      debug: true,
      bootMac: '52:54:00:ab:cd:ef',
    },
    unknown: [],
    problems: [],
  });
  assert.deepEqual(parseKernelParameters('').parameters, noKernelParameters);
});

test('F27 unknown durantic parameters are named, never their values; others are none of ours', () => {
  const parsed = parseKernelParameters(`durantic.tokne=${token} durantic.x root=/dev/sda1 duranticfoo=1`);
  assert.deepEqual(parsed.unknown, ['durantic.tokne', 'durantic.x']);
  assert.doesNotMatch(JSON.stringify(parsed), /cipher/);
});

const wrong: readonly [string, RegExp][] = [
  ['durantic.server=10.0.0.5', /^durantic\.server: must be an http or https URL$/],
  ['durantic.server=ftp://x', /must be an http or https URL/],
  ['durantic.server=https://x/path', /must be scheme, host and port/],
  ['durantic.server=https://user:pw@x', /must be scheme, host and port/],
  ['durantic.server', /^durantic\.server: needs a value$/],
  ['durantic.pin=sha256:12', /must be sha256: and 64 hex digits/],
  ['durantic.token=a,b', /is no bootstrap token/],
  ['durantic.console=vga', /must be auto, tty or serial/],
  ['durantic.vlan=0', /must be 1 to 4094$/],
  ['durantic.vlan=4095', /must be 1 to 4094$/],
  ['durantic.vlan=4x', /must be 1 to 4094$/],
  ['durantic.interface=a/b', /must be the name of a network interface/],
  ['durantic.interface=sixteen_letters_', /must be the name of a network interface/],
  ['durantic.link_timeout=0', /must be 1 to 86400 seconds$/],
  ['durantic.authorized_key=ssh-ed25519', /must be an OpenSSH public key/],
  ['durantic.proxy=socks://x', /must be an http or https URL/],
  ['durantic.shell=maybe', /takes no value/],
  ['nameserver=one', /one is no address/],
  ['BOOTIF=01-02', /must be 01- and a MAC address/],
  ['ip=none', /none needs an address/],
  ['ip=eth0:none', /none needs an address/],
  ['ip=10.0.0.2::10.0.0.1:255.255.255.0:host:eth0:dhcp', /an address makes no sense with dhcp/],
  ['ip=10.0.0.2::10.0.0.1::host:eth0:none', /the netmask is missing/],
  ['ip=10.0.0.2::10.0.0.1:255.0.255.0:host:eth0:none', /255\.0\.255\.0 is no netmask/],
  ['ip=10.0.0.2::10.0.0.1:33:host:eth0:none', /at most 32 bits/],
  ['ip=10.0.0.2::[fd00::1]:24:host:eth0:none', /of one family/],
  ['ip=10.0.0.256::10.0.0.1:24:host:eth0:none', /address must be an IPv4 or IPv6 address/],
  ['ip=eth0:dhcp:jumbo', /jumbo is neither an MTU nor an address/],
  ['ip=eth0:dhcp:1500:00:11', /00:11 is no MAC address/],
  ['ip=magic', /magic is no way to get an address/],
  ['ip=10.0.0.2::10.0.0.1:24:host:eth0:magic', /magic is no way to get an address/],
  ['ip=10.0.0.2::10.0.0.1:24:host:eth0:none:9.9.9.9:8.8.8.8:7.7.7.7', /more fields/],
  ['durantic.authorized_key="ssh-ed25519 AAAA', /a quote on the kernel command line is not closed/],
  ['durantic.vlan=1 durantic.vlan=2', /durantic\.vlan is given more than once: the last counts/],
];
for (const [line, expected] of wrong) {
  test(`a sentence for ${line}`, () => {
    const { problems } = parseKernelParameters(line);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0] ?? '', expected);
  });
}

test('what is wrong does not hide what is right', () => {
  const { parameters } = parseKernelParameters('durantic.vlan=x durantic.server=https://a durantic.debug ip=!');
  assert.equal(parameters.server, 'https://a');
  assert.equal(parameters.debug, true);
  assert.equal(parameters.vlan, null);
});

const common = { interface: null, hostname: null, mtu: null, macAddress: null, nameservers: [] };
const ipForms: readonly [string, IpParameter][] = [
  ['dhcp', { method: 'dhcp', ...common }],
  ['on', { method: 'dhcp', ...common }],
  ['either6', { method: 'either6', ...common }],
  ['eth0:auto6', { method: 'auto6', ...common, interface: 'eth0' }],
  ['eth0:dhcp:9000', { method: 'dhcp', ...common, interface: 'eth0', mtu: 9000 }],
  ['eth0:dhcp::52:54:00:12:34:56', { method: 'dhcp', ...common, interface: 'eth0', macAddress: '52:54:00:12:34:56' }],
  ['::::node7:eno1:dhcp6', { method: 'dhcp6', ...common, hostname: 'node7', interface: 'eno1' }],
  [
    '192.0.2.10::192.0.2.1:255.255.255.128:node7:eno1:none:1500:52-54-00-12-34-56',
    {
      ...{ method: 'static', address: '192.0.2.10', prefixLength: 25, peer: null, gateway: '192.0.2.1' },
      ...{ hostname: 'node7', interface: 'eno1', mtu: 1500, macAddress: '52:54:00:12:34:56', nameservers: [] },
    },
  ],
  [
    '[2001:db8::10]::[2001:db8::1]:64::eno1:off:[2001:db8::53]:9.9.9.9',
    {
      ...{ method: 'static', address: '2001:db8::10', prefixLength: 64, peer: null, gateway: '2001:db8::1' },
      ...{ ...common, interface: 'eno1', nameservers: ['2001:db8::53', '9.9.9.9'] },
    },
  ],
  [
    '10.0.0.2:10.0.0.9::32::ppp0:none',
    {
      ...{ method: 'static', address: '10.0.0.2', prefixLength: 32, peer: '10.0.0.9', gateway: null },
      ...{ ...common, interface: 'ppp0' },
    },
  ],
  [
    // What PXELINUX appends (SYSAPPEND 1): the second field is its boot server.
    '10.0.0.2:10.0.0.3:10.0.0.1:255.255.0.0',
    { method: 'static', address: '10.0.0.2', prefixLength: 16, peer: null, gateway: '10.0.0.1', ...common },
  ],
  [
    '10.0.0.2/24::10.0.0.1',
    { method: 'static', address: '10.0.0.2', prefixLength: 24, peer: null, gateway: '10.0.0.1', ...common },
  ],
];
for (const [text, expected] of ipForms) {
  test(`ip=${text}`, () => {
    const { parameters, problems } = parseKernelParameters(`ip=${text}`);
    assert.deepEqual(problems, []);
    assert.deepEqual(parameters.addresses, [expected]);
  });
}

test('F27 the rendering for logs hides token, passwords and what nobody knows', () => {
  const line = `quiet durantic.token=${token} durantic.Token=${token} durantic-token=x DURANTIC.token="a ${token}" durantic.tokne="${token} x" durantic.proxy=http://me:se/cr@et@proxy:1 durantic.vlan=7 durantic.debug`;
  const shown = redactKernelParameters(line);
  assert.doesNotMatch(shown, /cipher|cr@et|\bme\b/);
  assert.match(shown, /^quiet durantic\.token=\(hidden\)/);
  assert.match(shown, /durantic\.proxy=http:\/\/\(hidden\)@proxy:1 durantic\.vlan=7 durantic\.debug$/);
});

test('what a command line cannot express or hold is refused', () => {
  assert.match(problemOf({ authorizedKeys: ['ssh-ed25519 AAAA "me"'] }), /authorizedKeys/);
  assert.match(problemOf({ authorizedKeys: ['ssh-ed25519 AAAA Jürgen'] }), /authorizedKeys/);
  assert.match(problemOf({ proxy: 'http://proxy/ä' }), /cannot hold/);
  assert.match(problemOf({ proxy: 'http://proxy/"' }), /durantic\.proxy/);
  assert.match(problemOf({ token: 'a b' }), /is no bootstrap token/);
  assert.match(problemOf({ token: 'x'.repeat(2040) }), /longer than the 2047 bytes/);
  assert.equal(format({ token: 'x'.repeat(2032) }).length, 2047);
});

const hex2 = fc.stringMatching(/^[0-9a-f]{2}$/);
const mac = fc.array(hex2, { minLength: 6, maxLength: 6 }).map((bytes) => bytes.join(':'));
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const device = fc.stringMatching(/^[a-z][a-z0-9_.@-]{0,14}$/);
const hostname = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const address = fc.oneof(fc.ipV4(), fc.ipV6());
const ends = fc.oneof(
  fc.record({
    mtu: orNull(fc.integer({ min: 68, max: 65535 })),
    macAddress: orNull(mac),
    nameservers: fc.constant([]),
  }),
  fc.record({
    mtu: fc.constant(null),
    macAddress: fc.constant(null),
    nameservers: fc.array(address, { minLength: 1, maxLength: 2 }),
  }),
);
const link = fc.record({ interface: orNull(device), hostname: orNull(hostname) });
const fixed = fc.constantFrom({ ip: fc.ipV4(), bits: 32 }, { ip: fc.ipV6(), bits: 128 }).chain(({ ip, bits }) =>
  fc.record({
    ...{ method: fc.constant('static' as const), address: ip, prefixLength: fc.integer({ min: 0, max: bits }) },
    ...{ peer: orNull(ip), gateway: orNull(ip) },
  }),
);
const automatic = fc.record({ method: fc.constantFrom('dhcp', 'dhcp6', 'auto6', 'either6', 'link6') });
const ipParameter = fc
  .tuple(fc.oneof(fixed, automatic), link, ends)
  .map(([head, middle, end]) => ({ ...head, ...middle, ...end }) as IpParameter);

const parameters: fc.Arbitrary<KernelParameters> = fc.record({
  server: orNull(fc.constantFrom('https://a.example', 'http://10.0.0.1', 'https://[fd00::1]:8443')),
  token: orNull(fc.stringMatching(/^[A-Za-z0-9._-]{1,300}$/)),
  pin: orNull(fc.stringMatching(/^[0-9a-f]{64}$/).map((digits) => `sha256:${digits}`)),
  console: fc.constantFrom('auto', 'tty', 'serial'),
  interface: orNull(fc.oneof(mac, device)),
  vlan: orNull(fc.integer({ min: 1, max: 4094 })),
  addresses: fc.array(ipParameter, { maxLength: 3 }),
  nameservers: fc.array(address, { maxLength: 3 }),
  authorizedKeys: fc.array(fc.stringMatching(/^ssh-[a-z0-9]{3,9} [A-Za-z0-9+/]{4,40}={0,2}( [!#-~ ]{0,20})?$/), {
    maxLength: 2,
  }),
  proxy: orNull(fc.constantFrom('http://proxy:3128', 'https://me:pw@proxy.example/')),
  shell: fc.boolean(),
  linkTimeoutSeconds: fc.integer({ min: 1, max: 86_400 }),
  debug: fc.boolean(),
  bootMac: orNull(mac),
});

test('what is formatted is read back the same', () => {
  fc.assert(
    fc.property(parameters, (wanted) => {
      const formatted = formatKernelParameters(wanted);
      if ('problem' in formatted) {
        assert.match(formatted.problem, /longer than/);
        return;
      }
      const parsed = parseKernelParameters(`initrd=x ${formatted.value.join(' ')} -- quiet`);
      // fast-check makes objects without prototype.
      assert.deepEqual(parsed, { parameters: structuredClone(wanted), unknown: [], problems: [] });
    }),
    { numRuns: 300 },
  );
});

test('no line makes the parser throw, and no line shows its token', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom(
      '"',
      '=',
      ' ',
      'ip=',
      '[',
      ']:',
      '::',
      'durantic.',
      'durantic.token=',
      'nameserver=',
      'BOOTIF=',
      '1',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      parseKernelParameters(pieces.join(''));
      const line = `${pieces.filter((part) => !part.includes('"')).join('')} durantic.token=S3CR3T`;
      assert.doesNotMatch(redactKernelParameters(line), /S3CR3T/);
    }),
    { numRuns: 500 },
  );
});
