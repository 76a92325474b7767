import { readFileSync } from 'node:fs';
import { runCommand } from '../../core/base/run-command.ts';

/** Programs that stand for what cloud-init does with user data: name and Python text, JSON in, JSON out. */
const programs = {
  /** Texts → what PyYAML makes of each, as `repr`, or the error. */
  yaml: `
import json, sys, yaml
def read(text):
    try: return repr(yaml.safe_load(text))
    except yaml.YAMLError as error: return 'error: ' + str(error)
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`,
  /** User data → what cloud-init's own reader makes of it: [content type, file name, text] of each part. */
  parts: `
import json, sys
from cloudinit.user_data import convert_string
def part(item):
    return [item.get_content_type(), item.get_filename(), item.get_payload(decode=True).decode('utf-8')]
message = convert_string(json.load(sys.stdin))
json.dump([part(item) for item in message.walk() if not item.is_multipart()], sys.stdout)
`,
  /**
   * {document, interfaces} → the files that each of cloud-init's renderers makes of a network-config, by path, on a machine
   * with these interfaces ({MAC: name}).
   */
  network: `
import json, os, sys, tempfile, yaml
from unittest import mock
from cloudinit.distros import rhel
from cloudinit.net import eni, netplan, network_manager, network_state, sysconfig
wanted = json.load(sys.stdin)
configs = {
    'sysconfig': rhel.Distro.renderer_configs['sysconfig'],
    # The distributions' path for netplan is absolute, which their renderer follows out of any target folder; and what is
    # looked at is what netplan is given, not what its program makes of it.
    'netplan': {'netplan_path': 'etc/netplan/50-cloud-init.yaml', 'netplan_header': '', 'postcmds': False},
}
def render(name, module):
    renderer = module.Renderer(configs.get(name))
    state = network_state.parse_net_config_data(yaml.safe_load(wanted['document']), renderer=renderer)
    with tempfile.TemporaryDirectory() as root:
        renderer.render_network_state(state, target=root)
        paths = [os.path.join(folder, file) for folder, _, files in os.walk(root) for file in files]
        return {os.path.relpath(path, root): open(path).read() for path in paths}
renderers = {'eni': eni, 'sysconfig': sysconfig, 'network-manager': network_manager, 'netplan': netplan}
found = mock.Mock(return_value=wanted['interfaces'])
with mock.patch('cloudinit.net.get_interfaces_by_mac', found), \\
     mock.patch('cloudinit.net.network_state.get_interfaces_by_mac', found):
    json.dump({name: render(name, module) for name, module in renderers.items()}, sys.stdout)
`,
  /** {context, templates} → what Jinja renders each to, or the error; settings as control-plane/jinja documents them. */
  jinja: `
import base64, copy, json, sys
from jinja2 import Environment, StrictUndefined
environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True,
                          extensions=['jinja2.ext.do', 'jinja2.ext.loopcontrols'])
environment.filters['b64encode'] = lambda text: base64.b64encode(text.encode()).decode()
environment.filters['b64decode'] = lambda text: base64.b64decode(text).decode()
wanted = json.load(sys.stdin)
def render(template):
    try: return environment.from_string(template).render(**copy.deepcopy(wanted['context']))
    except Exception as error: return 'error: ' + type(error).__name__
json.dump([render(template) for template in wanted['templates']], sys.stdout)
`,
} as const;

/** Runs one of the programs with Debian's Python, which has cloud-init, Jinja and PyYAML (scripts/install-deps). */
export async function debianPython<T>(program: keyof typeof programs, input: unknown): Promise<T> {
  const { stdout } = await runCommand('/usr/bin/python3', ['-I', '-c', programs[program]], {
    input: JSON.stringify(input),
    timeoutMs: 60_000,
  });
  return JSON.parse(stdout) as T;
}

export interface TemplateCase {
  readonly template: string;
  readonly expected: string;
}

const folder = new URL('../fixtures/jinja/', import.meta.url);

/** Templates and what Jinja renders them to; a test holds the list against Jinja itself. */
export function templateCases(): TemplateCase[] {
  return JSON.parse(readFileSync(new URL('templates.json', folder), 'utf8')) as TemplateCase[];
}

/** The context that the templates of `templateCases` are rendered with. */
export function templateContext(): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL('context.json', folder), 'utf8')) as Record<string, unknown>;
}
