import { diskStateSentences } from '../core/base/disk-state-sentence.ts';
import { formatBytes } from '../core/base/format-bytes.ts';
import { formatDuration } from '../core/base/format-duration.ts';
import { type ProvisionEvent, stepIds, stepNames } from '../protocol/provision-event.ts';

export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const longestBar = 24;
const shortestBar = 6;
const plainEveryPercent = 10;

/** Shows an installation to a person. */
export interface ProgressDisplay {
  readonly event: (event: ProvisionEvent) => void;
  /** What is waited for between the steps: a live line on a terminal, elsewhere a line when the words change. */
  readonly waiting: (text: string, forSeconds: number) => void;
  /** A line of its own. */
  readonly note: (text: string) => void;
}

/**
 * Shows an installation to a person: one live line on a terminal, plain lines (one a step, one every 10 %) elsewhere.
 */
export function createProgressBar(output: ProgressOutput): (event: ProvisionEvent) => void {
  return createProgressDisplay(output).event;
}

/** The same for an installation that is watched from elsewhere, which also waits for machines. */
export function createProgressDisplay(output: ProgressOutput): ProgressDisplay {
  const live = output.isTTY === true;
  let lastPlainPercent = 0;
  let lastWaiting = '';
  let lineOpen = false;
  const print = (line: string): void => {
    output.write(`${lineOpen ? '\r\x1b[K' : ''}${line}\n`);
    lineOpen = false;
  };
  const width = (): number => (output.columns ?? 80) - 1;
  const draw = (line: string): void => {
    output.write(`\r\x1b[K${line.slice(0, width())}`);
    lineOpen = true;
  };
  const showStep = (label: string, event: ProvisionEvent): void => {
    // A machine that was cut off begins again at the start.
    if (event.percent < lastPlainPercent) lastPlainPercent = 0;
    if (live) draw(liveLine(label, event, width()));
    else if (event.state === 'progress' && event.percent >= lastPlainPercent + plainEveryPercent) {
      lastPlainPercent = Math.floor(event.percent / plainEveryPercent) * plainEveryPercent;
      print(`${label}: ${formatPercent(event.percent)}${amounts(event)}`);
    }
  };
  const showEvent = (event: ProvisionEvent): void => {
    lastWaiting = '';
    if (event.step === null) {
      print(lastLine(event));
      return;
    }
    const label = `[${stepIds.indexOf(event.step) + 1}/${stepIds.length}] ${stepNames[event.step]}`;
    if (event.state === 'started' || event.state === 'progress') showStep(label, event);
    else print(`${label}: ${outcome(event)}`);
  };
  return {
    event: showEvent,
    waiting: (text, forSeconds) => {
      if (live) draw(withTime(text, ` (${formatDuration(forSeconds)})`, width()));
      else if (text !== lastWaiting) print(text);
      lastWaiting = text;
    },
    note: print,
  };
}

function withTime(text: string, time: string, columns: number): string {
  const room = columns - time.length;
  return `${text.length <= room ? text : `${text.slice(0, room - 1)}…`}${time}`;
}

/** Why a step failed is said once, by the last line. */
function outcome({ state, message }: ProvisionEvent): string {
  if (state === 'failed' || state === 'aborted') return state.toUpperCase();
  return state === 'succeeded' ? message : `${state}: ${message}`;
}

/** At most `columns` wide: figures are worth more than the length of the bar, which gives way to them. */
function liveLine(label: string, event: ProvisionEvent, columns: number): string {
  const text = `${formatPercent(event.percent).padStart(4)} ${label}${amounts(event)}`;
  const width = Math.max(shortestBar, Math.min(longestBar, columns - text.length - '[] '.length));
  const filled = Math.round((event.percent / 100) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${text}`;
}

function amounts(event: ProvisionEvent): string {
  const parts: string[] = [];
  if (event.bytes_done !== null) {
    const total = event.bytes_total === null ? '' : ` of ${formatBytes(event.bytes_total)}`;
    parts.push(`${formatBytes(event.bytes_done)}${total}`);
  }
  if (event.rate_bps !== null && event.rate_bps > 0) {
    parts.push(`${formatBytes(event.rate_bps)}/s`);
    if (event.bytes_total !== null && event.bytes_done !== null && event.bytes_done < event.bytes_total) {
      parts.push(`${formatDuration((event.bytes_total - event.bytes_done) / event.rate_bps)} left`);
    }
  }
  return parts.length === 0 ? '' : `  ${parts.join(', ')}`;
}

function formatPercent(percent: number): string {
  return `${Math.floor(percent)}%`;
}

function lastLine(event: ProvisionEvent): string {
  if (event.state === 'succeeded') return event.message;
  const disk = event.disk_state === undefined ? '' : ` ${diskStateSentences[event.disk_state]}`;
  const again = event.retryable === true ? ' Trying again can help.' : '';
  return `durantic: ${event.message} [${event.code ?? 'unknown'}]\n${disk.trim()}${again}`;
}
