import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadTable, runAgentLoad } from '../../bench/agent-load.ts';
import { Resources } from '../../resources.ts';

test('1,000 agents with TLS and heartbeats for a minute: all online, no socket lost, commands answered', async (t) => {
  await using resources = new Resources();
  const report = await runAgentLoad(resources, { agents: 1000, seconds: 60 });
  t.diagnostic(`\n${loadTable(report)}`);
  assert.equal(report.serverErrors, '');
  assert.equal(report.fewestOnline, 1000);
  assert.equal(report.closes, 0);
  // One is sent every 10 s: at 20 s one was missed. What the fleet itself was late is not the server's.
  assert.ok(
    report.oldestHeartbeatMs < 20_000 + Math.max(0, report.longestFleetPauseMs - 10_000),
    `${report.oldestHeartbeatMs} ms`,
  );
  assert.ok(report.heartbeats >= 5_000, String(report.heartbeats));
  assert.ok(report.commands >= 100, String(report.commands));
  // Measured: a small fraction of these; they catch what grows with the number of agents.
  assert.ok(report.commandP99Ms < 5_000, `${report.commandP99Ms} ms`);
  assert.ok(report.rssBytesPerAgent < 256 * 1024, `${report.rssBytesPerAgent} bytes per agent`);
});
