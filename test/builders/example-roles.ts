/** Roles as people write them: users, a k3s cluster that finds its first server by the lowest mesh address, files, scripts. */
export const exampleRoles = {
  base: `#cloud-config
hostname: {{ machine.hostname }}
users:
  - default
  - name: ops
    groups: [sudo]
    shell: /bin/bash
    sudo: 'ALL=(ALL) NOPASSWD:ALL'
    ssh_authorized_keys:
      - {{ vars.admin_ssh_key }}
package_update: true
packages: [curl, open-iscsi]
write_files:
  - path: /etc/durantic/hosts.env
    permissions: '0644'
    content: |
{% for peer in [machine] + peers %}
      {{ peer.hostname | upper | replace('-', '_') }}={{ peer.mesh.ip }}
{% endfor %}
`,
  'k3s-server': `{% set ns = namespace(servers=[]) %}
{% for m in [machine] + peers %}
{% if 'k3s-server' in m.roles %}
{% set _ = ns.servers.append(m) %}
{% endif %}
{% endfor %}
{% set servers = ns.servers | sort(attribute='mesh.ip') %}
{% set first = servers[0] %}
#cloud-config
write_files:
  - path: /etc/durantic/cluster-init
    owner: root:root
    permissions: '0600'
    content: |
{% if first.hostname == machine.hostname %}
      cluster-init: true
{% else %}
      server: https://{{ first.mesh.ip }}:6443
{% endif %}
      token: {{ secrets.K3S_TOKEN }}
      node-ip: {{ machine.mesh.ip }}
      flannel-iface: durantic-wg
      tls-san:
        - {{ machine.mesh.ip }}
{% for ip in machine.discovered_ip_addresses | default([]) %}
        - {{ ip }}
{% endfor %}
{% if role.vip is defined %}
        - {{ role.vip }}
{% endif %}
packages:
  - curl
  - nfs-common
runcmd:
  - [sh, -c, 'install -D -m 600 /etc/durantic/cluster-init /etc/rancher/k3s/config.yaml']
  - systemctl enable --now k3s-server.service
`,
  'k3s-agent': `#cloud-config
{% macro unit(name, after='network-online.target') %}
  - path: /etc/systemd/system/{{ name }}.service
    content: {{ ('[Unit]\\nAfter=' ~ after ~ '\\n[Service]\\nExecStart=/usr/local/bin/' ~ name ~ '\\n') | tojson }}
{% endmacro %}
{% set servers = peers | selectattr('roles', 'contains', 'k3s-server') | sort(attribute='mesh.ip') | list %}
write_files:
{{ unit('k3s-agent', after='durantic.service') }}
  - path: /etc/durantic/k3s.env
    encoding: b64
    content: {{ ('K3S_URL=https://' ~ servers[0].mesh.ip ~ ':6443\\nK3S_TOKEN=' ~ secrets.K3S_TOKEN ~ '\\n') | b64encode }}
runcmd:
  - systemctl enable --now k3s-agent.service
`,
  motd: `#!/bin/sh
{% raw %}
set -eu
name=\${1:-$(hostname)}
echo "\${#name} characters" > /etc/motd
{% endraw %}
echo 'Gerät {{ machine.hostname }} in {{ vars.REGION }}' >> /etc/motd
`,
} as const;
