import type { InstallerEvent, LinkReport } from '../../installer/state/installer-events.ts';
import { type InstallerState, initialInstallerState, reduceInstaller } from '../../installer/state/installer-state.ts';
import { type ProvisionEvent, type StepId, stepIds } from '../../protocol/provision-event.ts';

/** The time at which all scenes play. */
export const sceneClock = { nowMs: Date.parse('2026-11-20T12:00:30Z'), uptimeSeconds: 42.4 };
const startMs = sceneClock.nowMs - 30_000;

/** As link-stage.ts says it. */
const noCable = 'no cable, or the switch port is off';

const provisionUuid = '0193a2f0-5b1c-7cc0-9b1e-6f3a2d1c4b5a';
const machineUuid = '6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b';

export function link(name: string, facts: Partial<LinkReport> = {}): LinkReport {
  return {
    name,
    macAddress: '52:54:00:12:34:56',
    driver: 'igb',
    isUsbGadget: false,
    isBootLink: false,
    isExcluded: false,
    stage: 'asking',
    speedMbps: 1000,
    addresses: [],
    gateways: [],
    sinceMs: startMs + 18_000,
    detail: null,
    ...facts,
  };
}

export function provisionEvent(seq: number, facts: Partial<ProvisionEvent>): InstallerEvent {
  const event: ProvisionEvent = {
    v: 1,
    seq,
    time: '2026-11-20T12:00:30.000Z',
    provision_uuid: provisionUuid,
    step: 'image_inspection',
    state: 'progress',
    percent: 0,
    bytes_done: null,
    bytes_total: null,
    rate_bps: null,
    message: '',
    ...facts,
  };
  return { kind: 'provision', event };
}

const started: Extract<InstallerEvent, { kind: 'started' }> = {
  kind: 'started',
  version: '0.1.0',
  machine: { vendor: 'Dell Inc.', product: 'PowerEdge R640', serial: '7XK2M13', smbiosUuid: machineUuid },
  memoryBytes: 68_719_476_736,
  parameterProblems: [],
  crash: null,
};
const disks: InstallerEvent = {
  kind: 'disks',
  disks: [
    {
      path: '/dev/nvme0n1',
      sizeBytes: 960_197_124_096,
      model: 'SAMSUNG MZQL2960HCJR',
      serial: 'S64FNE0R',
      refusal: null,
    },
    { path: '/dev/sda', sizeBytes: 480_103_981_056, model: 'PERC H740P', serial: '0061d3', refusal: null },
    {
      path: '/dev/sdb',
      sizeBytes: 16_008_609_792,
      model: 'Virtual Floppy',
      serial: null,
      refusal: 'it is the boot medium',
    },
  ],
};
const links: InstallerEvent[] = [
  link('eno1', { stage: 'no_carrier', macAddress: 'e4:43:4b:10:00:01', speedMbps: null, detail: noCable }),
  link('eno2', {
    stage: 'asking',
    macAddress: 'e4:43:4b:10:00:02',
    isBootLink: true,
    detail: 'no answer from a DHCP server for 10 s',
  }),
  link('ens1f0', {
    stage: 'failed',
    driver: 'mlx5_core',
    speedMbps: 25_000,
    macAddress: '0c:42:a1:5e:20:10',
    addresses: ['10.9.0.17/24'],
    detail: 'has 10.9.0.17 but no route to the server durantic.example.net:7443',
  }),
  link('usb0', { driver: 'cdc_ether', isUsbGadget: true, stage: 'unused', speedMbps: null, detail: 'tried last' }),
].map((report) => ({ kind: 'link', link: report }));
const server: InstallerEvent = { kind: 'server', server: 'https://durantic.example.net:7443', pin: null };
const up: InstallerEvent[] = [
  {
    kind: 'link',
    link: link('eno2', {
      stage: 'reached',
      isBootLink: true,
      addresses: ['10.0.2.15/24', '2001:db8::15/64'],
      gateways: ['10.0.2.2'],
    }),
  },
  { kind: 'working_link', name: 'eno2' },
];
/** Before anybody has said where the server is. */
const addressed: InstallerEvent[] = [
  {
    kind: 'link',
    link: link('eno2', {
      stage: 'probing',
      isBootLink: true,
      addresses: ['10.0.2.15/24', '2001:db8::15/64'],
      gateways: ['10.0.2.2'],
    }),
  },
];
const base = [started, disks, ...links, server];
const enrolled: InstallerEvent[] = [
  ...base,
  ...up,
  { kind: 'identity', origin: 'made', detail: null },
  { kind: 'enrolled', machineUuid },
  { kind: 'connected', isConnected: true, detail: null },
];
const provisioning: InstallerEvent[] = [
  ...enrolled,
  {
    kind: 'provision_started',
    provisionUuid,
    image: 'registry.example.net/images/debian-13:2026-11',
    disk: '/dev/nvme0n1',
  },
  ...finishedSteps('image_inspection', 'bootloader_streaming', 'partition_resize'),
];

function finishedSteps(...ids: readonly StepId[]): InstallerEvent[] {
  const messages: Partial<Record<StepId, string>> = {
    image_inspection: '4 layers, 1.9 GB compressed',
    bootloader_streaming: 'GPT and ESP written',
    partition_resize: 'root is 958 GB now',
  };
  return ids.map((step, index) =>
    provisionEvent(index + 1, { step, state: 'succeeded', percent: 17, message: messages[step] ?? 'done' }),
  );
}

const extracting = provisionEvent(20, {
  step: 'layer_extraction',
  percent: 47.3,
  bytes_done: 812_000_000,
  bytes_total: 1_912_000_000,
  rate_bps: 96_400_000,
  message: 'layer 2 of 4',
});
const failed = provisionEvent(30, {
  step: null,
  state: 'failed',
  percent: 47.3,
  message: 'the download of layer 2 broke off at 812 MB and could not be resumed in 10 attempts',
  code: 'download_interrupted',
  kind: 'transient',
  disk_state: 'partial',
});
const installed = provisionEvent(31, {
  step: null,
  state: 'succeeded',
  percent: 100,
  message: 'installed registry.example.net/images/debian-13:2026-11 on /dev/nvme0n1',
});
const unreachable: InstallerEvent = {
  kind: 'trouble',
  trouble: {
    code: 'server_unreachable',
    what: 'no connection to https://durantic.example.net:7443: the connection was refused',
    todo: 'Check that the server runs, its address, cables, VLAN and firewall. It is tried again by itself.',
    retryAtMs: sceneClock.nowMs + 12_000,
  },
};

/** What a person sees on the way from power-on to the new system, by name. */
export const scenes: Readonly<Record<string, readonly InstallerEvent[]>> = {
  starting: [],
  network: base,
  'network-cable': [
    started,
    { kind: 'link', link: link('eno1', { stage: 'no_carrier', speedMbps: null, detail: noCable }) },
    server,
    { kind: 'rescue_shell', keys: 'Alt+F2' },
  ],
  question: [
    started,
    ...addressed,
    {
      kind: 'question',
      question: { name: 'server', prompt: 'Address of the durantic server (https://...)', problem: null },
    },
  ],
  'question-problem': [
    started,
    ...addressed,
    {
      kind: 'question',
      question: {
        name: 'server',
        prompt: 'Address of the durantic server (https://...)',
        problem: 'That is no address: it must be scheme, host and port, such as https://durantic.example.net:7443.',
      },
    },
  ],
  enrolling: [...base, ...up, { kind: 'identity', origin: 'made', detail: null }, { kind: 'enrolling', way: 'token' }],
  'enrolling-problem': [...base, ...up, { kind: 'enrolling', way: 'token' }, unreachable],
  approval: [
    ...base,
    ...up,
    { kind: 'enrolling', way: 'approval' },
    { kind: 'approval', approval: { code: 'A3C-WXM', expiresAt: '2026-11-20T12:15:00Z' } },
  ],
  waiting: enrolled,
  'waiting-problem': [
    ...enrolled,
    { kind: 'connected', isConnected: false, detail: 'the server has closed the connection' },
    unreachable,
    { kind: 'remote_shell', port: 22, fingerprint: 'SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE' },
  ],
  provisioning: [...provisioning, extracting],
  installed: [...provisioning, installed],
  failed: [...provisioning, extracting, failed],
  aborted: [
    ...provisioning,
    extracting,
    provisionEvent(32, {
      step: null,
      state: 'aborted',
      message: 'the installation was aborted from the server',
      code: 'aborted',
      disk_state: 'partial',
    }),
  ],
  leaving: [...provisioning, installed, { kind: 'leaving', how: 'kexec', detail: null }],
  crash: [
    {
      ...started,
      crash: 'TypeError: cannot read properties of undefined (reading "name")',
      parameterProblems: ['durantic.vlan: must be 1 to 4094', 'durantic.sever is not known here'],
    },
    ...links,
    server,
  ],
  worst: worstCase(),
};

/** Everything at once, as long as it can get. */
function worstCase(): readonly InstallerEvent[] {
  const long =
    'a very long reason that goes on and on and names /dev/disk/by-path/pci-0000:00:1f.2-ata-1 and more '.repeat(4);
  const cards: InstallerEvent[] = Array.from({ length: 16 }, (_, index) => ({
    kind: 'link',
    link: link(`enp175s0f${index}np1.4094`, {
      stage: index % 3 === 0 ? 'failed' : 'probing',
      speedMbps: 400_000,
      isBootLink: true,
      isUsbGadget: true,
      addresses: [
        '192.168.100.100/24',
        '2001:0db8:85a3:1234:5678:8a2e:0370:7334/64',
        'fd00:85a3:1234:5678:8a2e:370:7334:1/64',
      ],
      gateways: ['192.168.100.1', 'fe80::1'],
      detail: long,
    }),
  }));
  return [
    {
      ...started,
      version: '10.20.30-beta.40',
      machine: {
        vendor: 'Hewlett Packard Enterprise Company',
        product: 'ProLiant DL380 Gen10 Plus — Größe',
        serial: 'X'.repeat(40),
        smbiosUuid: null,
      },
      crash: long,
      parameterProblems: [long, long, long, long],
    },
    ...cards,
    {
      kind: 'server',
      server: `https://${'a'.repeat(60)}.${'b'.repeat(60)}.example.net:65535`,
      pin: `sha256:${'c'.repeat(64)}`,
    },
    {
      kind: 'trouble',
      trouble: { code: 'server_untrusted', what: long, todo: long, retryAtMs: sceneClock.nowMs + 9e6 },
    },
    { kind: 'notice', text: `\x1b[2J${long}` },
  ];
}

/** The facts at the end of a scene. */
export function stateOf(events: readonly InstallerEvent[]): InstallerState {
  return events.reduce(reduceInstaller, initialInstallerState);
}

/** Every step's name, for those that need them all. */
export const allSteps = stepIds;
