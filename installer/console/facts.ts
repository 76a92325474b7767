import { type StepId, stepIds, stepNames } from '../../protocol/provision-event.ts';
import type { InstallerState } from '../state/installer-state.ts';
import type { ProvisionState, StepMark } from '../state/provision-state.ts';
import {
  describeCommand,
  describeConnection,
  describeDisk,
  describeFailure,
  describeIdentity,
  describeLeaving,
  describeLink,
  describeMachine,
  describeMemory,
  describeStage,
  workingAddresses,
} from './describe.ts';
import { networkAdvice } from './network-advice.ts';

/** One fact in words. Of the same key there is one at a time. */
export interface Fact {
  readonly key: string;
  /** Several lines for what is to stand out. */
  readonly lines: readonly string[];
}

/** All facts, as plain lines in the order in which they matter; the progress of a step is not among them. */
export function factsOf(state: InstallerState): readonly Fact[] {
  return [
    ...machineFacts(state),
    ...networkFacts(state),
    ...enrolmentFacts(state),
    ...(state.provision === null ? [] : provisionFacts(state.provision)),
    ...troubleFacts(state),
    ...(state.leaving === null ? [] : [fact('leaving', describeLeaving(state.leaving))]),
  ];
}

function fact(key: string, ...lines: readonly string[]): Fact {
  return { key, lines };
}

function machineFacts(state: InstallerState): Fact[] {
  const { version, machine, memoryBytes, crash, disks } = state;
  const facts: Fact[] = [];
  if (version !== null) {
    const parts = [describeMachine(machine), machine.serial === null ? '' : `serial ${machine.serial}`];
    if (memoryBytes !== null) parts.push(`${describeMemory(memoryBytes)} memory`);
    const known = parts.filter((part) => part !== '').join(', ');
    facts.push(fact('started', `durantic installer ${version}${known === '' ? '' : ` on ${known}`}`));
  }
  if (crash !== null) facts.push(fact('crash', `The installer failed and was started again: ${crash}`));
  state.parameterProblems.forEach((problem, index) => {
    facts.push(fact(`parameter ${index}`, `kernel parameter: ${problem}`));
  });
  if (disks?.length === 0) facts.push(fact('disks', 'no disk found yet'));
  for (const disk of disks ?? []) facts.push(fact(`disk ${disk.path}`, `disk ${describeDisk(disk)}`));
  return facts;
}

function networkFacts(state: InstallerState): Fact[] {
  const facts = state.links.map((link) => {
    const addresses = link.addresses.length === 0 ? '' : `, ${link.addresses.join(', ')}`;
    return fact(`link ${link.name}`, `${link.name} (${describeLink(link)}${addresses}): ${describeStage(link)}`);
  });
  const advice = networkAdvice(state);
  if (advice !== null) facts.push(fact('network advice', `What to do: ${advice}`));
  if (state.workingLink !== null) {
    const addresses = workingAddresses(state).join(', ');
    facts.push(fact('working', `network: ${state.workingLink}${addresses === '' ? '' : `, ${addresses}`}`));
  }
  if (state.server !== null) {
    const pin = state.pin === null ? '' : `, pin ${state.pin}`;
    facts.push(fact('server', `server: ${state.server}${pin}`));
  }
  if (state.clockSet !== null) {
    facts.push(fact('clock', `clock: set from ${state.clockSet.from} to ${state.clockSet.to}`));
  }
  if (state.remoteShell !== null) {
    const { port, fingerprint } = state.remoteShell;
    facts.push(fact('remote shell', `remote shell: ssh port ${port}, host key ${fingerprint}`));
  }
  return facts;
}

function enrolmentFacts(state: InstallerState): Fact[] {
  const facts: Fact[] = [];
  const identity = describeIdentity(state);
  if (identity !== null) facts.push(fact('identity', `identity: ${identity}`));
  if (state.enrolling !== null) {
    const way = state.enrolling === 'token' ? 'with the token' : 'with an approval code';
    facts.push(fact('enrolling', `enrolling ${way}`));
  }
  if (state.approval !== null) facts.push(fact('approval', ...approvalLines(state.approval)));
  if (state.machineUuid !== null) facts.push(fact('enrolled', `enrolled: this is machine ${state.machineUuid}`));
  const connection = describeConnection(state);
  if (connection !== null) facts.push(fact('connected', `server connection: ${connection}`));
  if (state.command !== null) facts.push(fact('command', `command ${describeCommand(state.command)}`));
  return facts;
}

function approvalLines({ code, expiresAt }: NonNullable<InstallerState['approval']>): readonly string[] {
  const edge = '*'.repeat(60);
  return [
    edge,
    `*${`APPROVAL CODE:  ${code}`.padStart(38).padEnd(58)}*`,
    edge,
    `At the server: durantic server approve ${code} (good until ${expiresAt})`,
  ];
}

const marks: Readonly<Record<StepMark, string>> = {
  waiting: '',
  running: 'begun',
  succeeded: 'done',
  // Said by a step that has ended, and by one that goes on, such as one that waits for a disk.
  warning: 'warning',
  skipped: 'left out',
  failed: 'FAILED',
  aborted: 'STOPPED',
};

function provisionFacts(provision: ProvisionState): Fact[] {
  const { image, disk, outcome } = provision;
  const on = disk === null ? '' : ` on ${disk}`;
  const steps = stepIds.filter((id) => provision.steps[id].mark !== 'waiting').map((id) => stepFact(provision, id));
  const facts = [fact('provision', `installing ${image ?? 'an image'}${on} (${provision.provisionUuid})`), ...steps];
  if (outcome === null) return facts;
  if (outcome.state === 'succeeded') return [...facts, fact('outcome', `INSTALLED: ${outcome.message}`)];
  const { disk: diskSentence, todo } = describeFailure(outcome);
  const title = outcome.state === 'failed' ? 'INSTALLATION FAILED' : 'INSTALLATION STOPPED';
  const lines = [`${title} [${outcome.code ?? 'unknown'}]: ${outcome.message}`, diskSentence, `What to do: ${todo}`];
  return [...facts, fact('outcome', ...lines.filter((line) => line !== ''))];
}

function stepFact({ provisionUuid, steps }: ProvisionState, id: StepId): Fact {
  const { mark, message } = steps[id];
  const title = `step ${stepIds.indexOf(id) + 1}/${stepIds.length} ${stepNames[id]}: ${marks[mark]}`;
  // What a running step says changes with its progress, and why one failed is said once, by the outcome.
  const isSaid = message !== '' && (mark === 'succeeded' || mark === 'warning' || mark === 'skipped');
  return fact(`step ${id} ${provisionUuid}`, isSaid ? `${title}: ${message}` : title);
}

function troubleFacts({ trouble }: InstallerState): Fact[] {
  if (trouble === null) return [];
  return [fact('trouble', `PROBLEM [${trouble.code}]: ${trouble.what}`, `What to do: ${trouble.todo}`)];
}
