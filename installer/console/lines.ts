import { stepIds, stepNames } from '../../protocol/provision-event.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import type { InstallerState } from '../state/installer-state.ts';
import { asciiText } from './ascii-text.ts';
import { describeAmounts } from './describe.ts';
import { type Fact, factsOf } from './facts.ts';

/** A fact that comes and goes is not printed again before this has passed. */
const repeatSeconds = 60;
const progressSeconds = 5;
const progressPercent = 5;

interface Printed {
  readonly text: string;
  readonly seconds: number;
}

/**
 * Turns the facts into lines for a console that only goes forward: each once, when it is new; progress every five seconds
 * or percent. Pure but for its memory: ask it again with a later time, and what had to wait comes.
 */
export class ConsoleLines {
  /** What was printed last of each key; null: it is gone since. */
  readonly #last = new Map<string, string | null>();
  /** When each text of each key was printed. */
  readonly #times = new Map<string, Printed[]>();
  readonly #notices: string[] = [];
  #progress = { provisionUuid: '', percent: 0, seconds: 0 };

  /** To be told of every event: notices are no lasting facts. */
  take(event: InstallerEvent): void {
    if (event.kind === 'notice') this.#notices.push(event.text);
  }

  /** What is new, as ASCII lines `[   12.3] text` without line ends. */
  due(state: InstallerState, uptimeSeconds: number): readonly string[] {
    const lines = this.#notices.splice(0);
    const facts = factsOf(state);
    for (const fact of facts) if (this.#isDue(fact, uptimeSeconds)) lines.push(...fact.lines);
    lines.push(...this.#forget(new Set(facts.map(({ key }) => key))));
    const progress = this.#dueProgress(state, uptimeSeconds);
    if (progress !== null) lines.push(progress);
    return lines.map((line) => stamped(line, uptimeSeconds));
  }

  /** Everything as it stands, for somebody who has just come. */
  all(state: InstallerState, uptimeSeconds: number): readonly string[] {
    const progress = progressLine(state);
    const lines = factsOf(state).flatMap(({ lines }) => lines);
    return [...lines, ...(progress === null ? [] : [progress])].map((line) => stamped(line, uptimeSeconds));
  }

  #isDue({ key, lines }: Fact, seconds: number): boolean {
    const text = lines.join('\n');
    if (this.#last.get(key) === text) return false;
    const times = this.#times.get(key) ?? [];
    const recent = times.filter((printed) => seconds - printed.seconds < repeatSeconds);
    if (recent.some((printed) => printed.text === text)) return false;
    this.#last.set(key, text);
    this.#times.set(key, [...recent, { text, seconds }]);
    return true;
  }

  /** Only of links, disks and the network's loss a person must hear that they are gone. */
  #forget(present: ReadonlySet<string>): readonly string[] {
    const lines: string[] = [];
    for (const [key, text] of this.#last) {
      if (text === null || present.has(key)) continue;
      this.#last.set(key, null);
      if (key === 'working') lines.push('network: no link reaches the server any more');
      else if (/^(link|disk) /.test(key)) lines.push(`${key.replace('link ', '')}: gone`);
      else if (key === 'trouble') lines.push('the problem is gone');
    }
    return lines;
  }

  #dueProgress(state: InstallerState, seconds: number): string | null {
    const { provision } = state;
    if (provision === null || provision.outcome !== null || provision.currentStep === null) return null;
    const last = this.#progress;
    const isSame = last.provisionUuid === provision.provisionUuid;
    if (!isSame) {
      this.#progress = { provisionUuid: provision.provisionUuid, percent: provision.percent, seconds };
      return null;
    }
    if (provision.percent === last.percent) return null;
    const isDue = provision.percent >= last.percent + progressPercent || seconds >= last.seconds + progressSeconds;
    if (!isDue) return null;
    this.#progress = { ...last, percent: provision.percent, seconds };
    return progressLine(state);
  }
}

function progressLine({ provision }: InstallerState): string | null {
  if (provision === null || provision.outcome !== null || provision.currentStep === null) return null;
  const amounts = describeAmounts(provision);
  const step = `step ${stepIds.indexOf(provision.currentStep) + 1}/${stepIds.length} ${stepNames[provision.currentStep]}`;
  return `${Math.floor(provision.percent)} %, ${step}${amounts === '' ? '' : `: ${amounts}`}`;
}

/** As the kernel stamps its own lines: seconds since the start. */
function stamped(line: string, uptimeSeconds: number): string {
  return `[${uptimeSeconds.toFixed(1).padStart(7)}] ${asciiText(line)}`;
}
