import type { InspectionReport } from '../agent/provision/inspect-reference.ts';
import { unpackedBytesOf } from '../agent/provision/steps/inspect-image.ts';
import type { ProbedDiskLayer } from '../agent/provision/steps/probe-layer.ts';
import { formatBytes } from '../core/base/format-bytes.ts';

/** An inspection for a person. The problem itself is printed at the edge, as every error is. */
export function describeInspection(report: InspectionReport): string {
  const { image, inspected, problem } = report;
  const lines = [`Image       ${report.reference}`];
  if (image !== null) {
    lines.push(`Digest      ${image.manifestDigest}`);
    if (image.indexDigest !== null) lines.push(`Index       ${image.indexDigest}`);
    lines.push(
      `Platform    ${[image.platform.os, image.platform.architecture, image.platform.variant].filter(Boolean).join('/')}`,
    );
    lines.push('Layers');
    for (const layer of image.layers) {
      const probed = [inspected?.disk, ...(inspected?.layers ?? [])].find((one) => one?.layer.index === layer.index);
      const kind = layer.index === 0 && inspected !== null ? 'raw disk' : 'tar';
      const codec = probed === undefined ? '' : `  ${kind}, ${probed.codec.codec}`;
      const unpacked = probed === undefined || layer.index === 0 ? null : unpackedBytesOf(image, probed);
      const grown = unpacked === null ? '' : `, ${formatBytes(unpacked)} unpacked`;
      lines.push(
        `  ${layer.index}  ${layer.digest.slice(0, 19)}  ${formatBytes(layer.sizeBytes).padStart(8)}${codec}${grown}`,
      );
    }
    for (const note of image.notes) lines.push(`Note        ${note}`);
  }
  if (inspected !== null) lines.push(...describeDisk(inspected.disk));
  lines.push(`Provisionable: ${problem === null ? 'yes' : 'no'}`);
  return `${lines.join('\n')}\n`;
}

function describeDisk(disk: ProbedDiskLayer): string[] {
  const lines = [`Raw disk    ${formatBytes(disk.diskBytes)}, ${disk.gpt.sectorBytes}-byte sectors`, 'Partitions'];
  for (const partition of disk.gpt.partitions) {
    const bytes = (partition.lastLba - partition.firstLba + 1) * disk.gpt.sectorBytes;
    lines.push(
      `  ${partition.number}  ${formatBytes(bytes).padStart(8)}  ${partition.name || '(no name)'}  ${partition.typeGuid}`,
    );
  }
  return lines;
}
