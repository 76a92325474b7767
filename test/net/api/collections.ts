import type { CollectionWalk } from './walk-collection.ts';

const emptyName = { 'an empty name': '', 'a name that is null': null, 'a name that is a number': 7 };

function badNames(minimal: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(emptyName).map(([what, name]) => [what, { ...minimal, name }]));
}

const variable = { name: 'first', value: 'one' };
const role = { name: 'first' };
const mesh = { name: 'first', network_cidr: '10.1.0.0/24' };
const image = { name: 'first', docker_image_url: 'ghcr.io/durantic/linux-ubuntu-25.10:latest' };
const credential = { name: 'first', registry_url: 'https://ghcr.io', username: 'u', password: 'p' };

/** Every collection of named objects: fields, defaults and what never comes back, as in durantic-api-facts.md, section 1.3. */
export const collections: readonly CollectionWalk[] = [
  {
    path: '/api/controlplane/variables',
    minimal: variable,
    defaults: { description: '' },
    full: { name: 'second', value: 'two', description: 'both' },
    changes: { value: 'three', description: 'changed', name: 'renamed' },
    refused: { ...badNames(variable), 'a value that is a number': { ...variable, value: 1 } },
  },
  {
    path: '/api/controlplane/secrets',
    minimal: variable,
    defaults: { description: '' },
    full: { name: 'second', value: 'two', description: 'both' },
    hidden: ['value'],
    changes: { value: 'three', description: 'changed', name: 'renamed' },
    refused: badNames(variable),
  },
  {
    path: '/api/controlplane/machine-roles',
    minimal: role,
    defaults: {
      merge_priority: 100,
      template_data: '',
      description: '',
      requires_mesh: false,
      image: null,
      vip: null,
      is_official: false,
      forked_from_uuid: null,
      required_image_name: null,
    },
    full: {
      name: 'second',
      merge_priority: 50,
      template_data: '#cloud-config\n{}\n',
      description: 'all of it',
      requires_mesh: true,
    },
    changes: {
      merge_priority: -1,
      template_data: '#cloud-config\npackages: [nginx]\n',
      description: 'changed',
      requires_mesh: true,
      name: 'renamed',
    },
    refused: {
      ...badNames(role),
      'a priority beyond int32': { ...role, merge_priority: 2 ** 31 },
      'a priority that is text': { ...role, merge_priority: '100' },
      'a template that is null': { ...role, template_data: null },
    },
  },
  {
    path: '/api/controlplane/mesh-networks',
    minimal: mesh,
    defaults: { is_default: false, route_reflector_mode: false, available_ip_count: 254, machine_count: 0 },
    full: { name: 'second', network_cidr: '192.168.0.0/16', is_default: false, route_reflector_mode: true },
    changes: { is_default: true, route_reflector_mode: true, name: 'renamed' },
    refused: {
      ...badNames(mesh),
      'a public network': { ...mesh, network_cidr: '8.8.8.0/24' },
      'no network': { ...mesh, network_cidr: 'ten' },
    },
  },
  {
    path: '/api/provisioning/images',
    minimal: image,
    defaults: {
      description: null,
      registry_credential_uuid: null,
      registry_credential_name: null,
      is_official: false,
    },
    full: {
      name: 'second',
      docker_image_url:
        'registry.test:5000/a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      description: 'pinned',
      registry_credential_uuid: null,
    },
    changes: { docker_image_url: 'registry.test/a:2', description: 'changed', name: 'renamed' },
    nullable: ['description'],
    refused: {
      ...badNames(image),
      'a reference that is none': { ...image, docker_image_url: 'no reference' },
      'a credential that does not exist': {
        ...image,
        registry_credential_uuid: '6f3f3d3a-5f0a-4c51-9c2d-0a5c7cbb2a11',
      },
    },
  },
  {
    path: '/api/provisioning/registry-credentials',
    minimal: { ...credential, registry_url: 'ghcr.io' },
    defaults: { registry_url: 'ghcr.io', description: '', image_count: 0 },
    full: { name: 'second', registry_url: 'r.test:5000', username: '_json_key', password: '{}', description: 'gcp' },
    hidden: ['password'],
    changes: { registry_url: 'quay.io', username: 'v', password: 'q', description: 'changed', name: 'renamed' },
    refused: badNames(credential),
  },
];
