import { Box } from 'ink';
import { createElement, type ReactElement } from 'react';
import { describeLink, describeStage } from '../../console/describe.ts';
import type { LinkReport, LinkStage } from '../../state/installer-events.ts';
import { bad, busy, good, type Look, line, paragraph, plain, quiet, strong } from '../elements.ts';
import type { Room, View } from '../view.ts';

const stageLooks: Readonly<Record<LinkStage, Look>> = {
  unused: plain,
  no_carrier: plain,
  asking: busy,
  probing: busy,
  reached: good,
  failed: bad,
};

/** Those that are on their way first: of twenty, they are the ones to look at. */
const order: readonly LinkStage[] = ['reached', 'probing', 'asking', 'failed', 'no_carrier', 'unused'];

const nameColumns = 16;

/** Every link with what it is and where it stands, in as few lines as the room asks for. */
export function links(all: readonly LinkReport[], view: View, room: Room): ReactElement[] {
  const long = sorted(all).flatMap((link) => longForm(link, view, room.columns));
  return long.length <= room.rows ? long : shortLinks(all, view, room);
}

/** A line for each link. */
export function shortLinks(all: readonly LinkReport[], view: View, room: Room): ReactElement[] {
  const short = sorted(all).map((link) => shortForm(link, view, room.columns));
  if (short.length <= room.rows) return short;
  const shown = Math.max(0, room.rows - 1);
  return [...short.slice(0, shown), line(room.columns, { text: `  and ${short.length - shown} more`, look: quiet })];
}

function sorted(all: readonly LinkReport[]): readonly LinkReport[] {
  return [...all].sort((a, b) => order.indexOf(a.stage) - order.indexOf(b.stage));
}

function longForm(link: LinkReport, view: View, columns: number): ReactElement[] {
  const width = Math.max(1, columns - nameColumns);
  const lines = [
    line(columns, { text: named(link), look: strong }, describeLink(link)),
    ...paragraph(width, describeStage(link, view.clock), stageLooks[link.stage], 2).map(indented),
  ];
  if (link.addresses.length > 0) {
    const gateways = link.gateways.length === 0 ? ', no router' : `, router ${link.gateways.join(', ')}`;
    lines.push(indented(line(width, `${link.addresses.join(', ')}${gateways}`)));
  }
  return lines;
}

function shortForm(link: LinkReport, view: View, columns: number): ReactElement {
  const stage = describeStage(link, view.clock);
  const address = link.addresses[0];
  const isSaid = address === undefined || stage.includes(address.replace(/\/.*/, ''));
  const state = isSaid ? stage : `${address}: ${stage}`;
  return line(columns, { text: named(link), look: strong }, { text: state, look: stageLooks[link.stage] });
}

function named({ name }: LinkReport): string {
  return `  ${name} `.padEnd(nameColumns);
}

function indented(element: ReactElement): ReactElement {
  return createElement(Box, { paddingLeft: nameColumns, flexShrink: 0 }, element);
}
