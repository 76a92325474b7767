export { runInstaller } from './run-installer.ts';

/** Loads what `runInstaller` loads as it goes on: the build calls it, so that the script's code cache holds that too. */
export async function loadAll(): Promise<void> {
  await import('./live-in-installer.ts');
  await import('./network/start-network.ts');
  await import('./network/probe-server.ts');
  await import('./tui/open-screen.ts');
  await import('./console/serial-console.ts');
}
