import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainScript, installerScript, localBootScript } from '../../../../control-plane/downloads/ipxe-script.ts';
import { ApiError } from '../../../../control-plane/http/api-error.ts';

const origin = 'http://10.0.0.5:8080';

/** Commands of a script as iPXE runs them: without comments and labels, what is joined by && and || apart. */
function commands(script: string): string[] {
  const [magic, ...lines] = script.trimEnd().split('\n');
  assert.equal(magic, '#!ipxe');
  return lines
    .filter((line) => !line.startsWith(':'))
    .flatMap((line) => line.split(/ (?:&&|\|\|)(?: |$)/))
    .filter((command) => command !== '');
}

test('every jump of a script has its label, and every script ends by leaving iPXE with a failure', () => {
  for (const script of [chainScript(origin), localBootScript(), installerScript(origin, [])]) {
    const labels = [...script.matchAll(/^:(\w+)$/gm)].map((match) => match[1]);
    const jumps = commands(script).flatMap((command) => /^goto (\w+)$/.exec(command)?.[1] ?? []);
    assert.ok(jumps.length > 0);
    for (const jump of jumps) assert.ok(labels.includes(jump), `${jump} in ${script}`);
    // `exit` or `exit 0` would end UEFI firmware in its menu.
    assert.equal(commands(script).at(-1), 'exit 1');
    assert.equal(commands(script).filter((command) => command.startsWith('exit')).length, 1);
  }
});

test('a machine that is not installed boots from its disk: by number under BIOS, by the firmware under UEFI', () => {
  const script = localBootScript();
  assert.match(
    script,
    /^iseq \$\{platform\} efi && goto firmware \|\|\nsanboot --no-describe --drive 0x80 \|\|\n:firmware\nexit 1\n$/m,
  );
  assert.doesNotMatch(script, /kernel|chain/);
});

test('without an address the script asks again with those of the machine', () => {
  const chain = commands(chainScript(origin)).find((command) => command.startsWith('chain'));
  assert.match(
    chain ?? '',
    /^chain --replace --autofree http:\/\/10\.0\.0\.5:8080\/boot\/ipxe\?mac=\$\{netX\/mac:hexhyp\}&mac=\$\{net0\/mac:hexhyp\}&/,
  );
  assert.equal(chain?.match(/mac=/g)?.length, 9);
});

test('the installer is started with its parameters and the interface that was booted from', () => {
  const script = installerScript(origin, [
    'durantic.server=https://a',
    'durantic.authorized_key="ssh-ed25519 AAAA me"',
  ]);
  assert.match(
    script,
    /^kernel http:\/\/10\.0\.0\.5:8080\/boot\/vmlinuz durantic\.server=https:\/\/a durantic\.authorized_key="ssh-ed25519 AAAA me" BOOTIF=01-\$\{netX\/mac:hexhyp\} \|\| goto failed$/m,
  );
});

test('what iPXE would change or end a command at is refused', () => {
  const wrong = [`a=\${b}`, 'a="b  c"', 'a="b && c"', 'a="b # c"', 'a="b ; c"', 'a="b || c"'];
  for (const word of wrong) {
    assert.throws(
      () => installerScript(origin, [word]),
      (error) => error instanceof ApiError && error.status === 422,
      word,
    );
  }
  for (const word of ['a=$b', 'a=b;c', 'a=#b', 'a="b &c"']) installerScript(origin, [word]);
});
